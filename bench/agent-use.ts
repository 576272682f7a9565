import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'

/** The agent's use of the machine between two moments. */
export interface AgentUse {
  readonly cpuMs: number
  readonly residentMb: number
}

const clockTicksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** What a process has used until now. */
export async function agentUse(pid: number): Promise<AgentUse> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { cpuMs: (ticks * 1000) / clockTicksPerSecond, residentMb: (Number(kibibytes) * 1024) / 1e6 }
}
