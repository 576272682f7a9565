import { readFile } from 'node:fs/promises'
import type { Bench, Report } from './bench.ts'
import { type BenchLab, processOf, withLab } from './lab.ts'
import { createNetwork, removePod, startPod } from './pods.ts'

const count = 50

/** Resident memory of every node's agent: as the lab is ready, and after pods have come and gone on one node. */
export const agentMemory: Bench = (report) =>
  withLab(async (lab) => {
    await reportMemory(report, lab, 'after start')
    await createNetwork(lab)
    for (let index = 0; index < count; index++) {
      await startPod(lab, `memory-${index}`, 'work01')
      await removePod(lab, `memory-${index}`)
    }
    await reportMemory(report, lab, `after ${count} pods on work01`)
  })

async function reportMemory(report: Report, lab: BenchLab, when: string): Promise<void> {
  for (const { name } of lab.status.nodes) {
    report(`${name} ${when}`, await residentMb(processOf(lab, name, 'agent')), 'MB')
  }
}

/** VmRSS, in units of 10^6 bytes. */
async function residentMb(pid: number): Promise<number> {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
  if (kibibytes === undefined) throw new Error(`process ${pid} has no VmRSS`)
  return (Number(kibibytes) * 1024) / 1e6
}
