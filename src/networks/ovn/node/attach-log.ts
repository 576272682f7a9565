import { describeError } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import { appendRotated } from '../../../base/rotating-file.ts'
import type { AttachmentRef } from '../../driver.ts'
import type { OvnConfig } from '../config.ts'

/** Lowest `logLevel` of each kind of line; failures are always written. */
const levelOf = { outcome: 1, stages: 4 } as const
const defaultLevel = 4
const megabyte = 1024 * 1024
const dayMs = 86_400_000

/** What an attachment was, for its line. */
export interface Outcome {
  readonly verb: 'ADD' | 'DEL' | 'CHECK'
  readonly ms: number
  /** e.g. the addresses */
  readonly result?: string
  readonly stages?: string
  readonly error?: unknown
}

/**
 * The log that a configuration asks for with `logFile`, as the shim of OVN-Kubernetes writes one: a line a request. What
 * goes wrong with it is said once and never fails a pod.
 */
export class AttachLog {
  readonly #log: Log
  readonly #broken = new Set<string>()

  constructor(log: Log) {
    this.#log = log
  }

  write(ref: AttachmentRef<OvnConfig>, outcome: Outcome): void {
    const { logFile } = ref.config
    if (logFile === undefined || logFile === '') return
    const level = Number(ref.config.logLevel ?? defaultLevel)
    const line = renderLine(ref, outcome, Number.isNaN(level) ? defaultLevel : level)
    if (line === undefined) return
    appendRotated(logFile, `${new Date().toISOString()} ${line}\n`, limitsOf(ref.config)).catch((error: unknown) => {
      if (this.#broken.has(logFile)) return
      this.#broken.add(logFile)
      this.#log.warn({ logFile, error: describeError(error) }, 'the logFile of a network cannot be written')
    })
  }
}

/** Undefined when the level leaves it out. */
export function renderLine(
  { pod, ifName, containerId, networkName }: AttachmentRef,
  { verb, ms, result, stages, error }: Outcome,
  level: number,
): string | undefined {
  const whom = `[${pod.namespace}/${pod.name} ${ifName} ${containerId.slice(0, 12)}] ${verb} of ${networkName}`
  const times = stages !== undefined && level >= levelOf.stages ? ` (${stages})` : ''
  if (error !== undefined) return `E ${whom} failed after ${Math.round(ms)} ms: ${describeError(error)}${times}`
  if (level < levelOf.outcome) return undefined
  return `I ${whom} done in ${Math.round(ms)} ms${result === undefined ? '' : `: ${result}`}${times}`
}

/** The defaults are upstream's: 100 MB, 5 files, 5 days. */
function limitsOf(config: OvnConfig): Parameters<typeof appendRotated>[2] {
  return {
    maxBytes: (config['logfile-maxsize'] ?? 100) * megabyte,
    maxBackups: config['logfile-maxbackups'] ?? 5,
    maxAgeMs: (config['logfile-maxage'] ?? 5) * dayMs,
  }
}
