import { readFile } from 'node:fs/promises'
import { ignoreCodes } from '../../base/errors.ts'
import { findFile } from '../../base/file.ts'

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessId {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: clock ticks from boot to the process' start. */
  readonly startTime: string
}

/** The identity of a live process, or undefined if there is none with this pid. */
export async function findProcess(pid: number): Promise<ProcessId | undefined> {
  const stat = await readStat(pid)
  // The second field is the name in parentheses, and may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTime = fields?.[19]
  return fields === undefined || fields[0] === 'Z' || startTime === undefined ? undefined : { pid, startTime }
}

export async function isAlive(process: ProcessId): Promise<boolean> {
  return (await findProcess(process.pid))?.startTime === process.startTime
}

/** Sends a signal if the very process still runs; true if it did. */
export async function signalProcess(target: ProcessId, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(target))) return false
  try {
    process.kill(target.pid, signal)
    return true
  } catch (error) {
    ignoreCodes(error, 'ESRCH')
    return false
  }
}

/** The children of a process with one thread, oldest first. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = (await findFile(`/proc/${pid}/task/${pid}/children`)) ?? ''
  return text.split(' ').filter(Boolean).map(Number)
}

async function readStat(pid: number): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    ignoreCodes(error, 'ENOENT', 'ESRCH')
    return undefined
  }
}
