import { Counter, Histogram, type Metric } from 'prom-client'
import type { AttachmentRef, NodeSide } from '../networks/driver.ts'

type Operation = 'attach' | 'detach'

/** From a veth pair to the deadline of a delegate. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Counts what each network takes and fails, whether by ADD, DEL, GC or hot-plug. */
export class NetworkMeter {
  readonly #durations = new Histogram({
    name: 'twinlane_network_operation_duration_seconds',
    help: 'Time to attach or detach one interface, by the CNI type of its network.',
    labelNames: ['operation', 'type'] as const,
    buckets,
    registers: [],
  })
  readonly #failures = new Counter({
    name: 'twinlane_network_failures_total',
    help: 'Attachments and detachments that failed, by network.',
    labelNames: ['operation', 'type', 'network'] as const,
    registers: [],
  })

  get metrics(): readonly Metric[] {
    return [this.#durations, this.#failures]
  }

  /** The same network, counted. Only for one whose methods are its own properties. */
  measured(nodeSide: NodeSide): NodeSide {
    return {
      ...nodeSide,
      attach: (request, signal) => this.#measure('attach', request, () => nodeSide.attach(request, signal)),
      detach: (ref, signal) => this.#measure('detach', ref, () => nodeSide.detach(ref, signal)),
    }
  }

  async #measure<T>(operation: Operation, ref: AttachmentRef, work: () => Promise<T>): Promise<T> {
    const type = typeOf(ref)
    const stop = this.#durations.startTimer({ operation, type })
    try {
      return await work()
    } catch (error) {
      this.#failures.inc({ operation, type, network: ref.networkName })
      throw error
    } finally {
      stop()
    }
  }
}

/** A chain is known by its first plugin, which makes the interface. */
function typeOf({ configList: { plugins } }: AttachmentRef): string {
  return plugins[0]?.type ?? ''
}
