import { cpus, loadavg, release, totalmem } from 'node:os'

/** What the numbers depend on, as it is when the run starts. */
export interface MachineFacts {
  readonly date: string
  readonly kernel: string
  readonly cpu: string
  readonly cores: number
  readonly memoryMb: number
  readonly node: string
  /** Of the last minute: above about half a core the times are not to be trusted. */
  readonly load: number
}

export function machineFacts(): MachineFacts {
  const processors = cpus()
  return {
    date: new Date().toISOString(),
    kernel: release(),
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryMb: Math.round(totalmem() / 1e6),
    node: process.version,
    load: loadavg()[0] ?? 0,
  }
}
