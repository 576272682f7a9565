import { Counter, Histogram, type Metric } from 'prom-client'
import { AttachLateError } from './attach-late.ts'
import type { AttachTrace } from './attach-trace.ts'

/** Counts what ADDs waited for. */
export class AttachMetrics {
  readonly #stages = new Histogram({
    name: 'twinlane_ovn_attach_stage_seconds',
    help: 'Time of each stage of an ADD on the OVN network.',
    labelNames: ['stage'] as const,
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [],
  })
  readonly #late = new Counter({
    name: 'twinlane_ovn_attach_late_total',
    help: 'ADDs on the OVN network that were given up, by what was late.',
    labelNames: ['reason'] as const,
    registers: [],
  })

  get all(): readonly Metric[] {
    return [this.#stages, this.#late]
  }

  observe(trace: AttachTrace, error?: unknown): void {
    for (const { stage, ms } of trace.steps) this.#stages.observe({ stage }, ms / 1000)
    if (error instanceof AttachLateError) this.#late.inc({ reason: error.reason })
  }
}
