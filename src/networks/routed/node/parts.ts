import { describeError } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import { Workqueue } from '../../../base/workqueue.ts'

/** Parts of the node's state that are kept right, each by itself. */
export type Part = 'nft' | 'forwarding' | 'senders' | 'bird' | 'releases' | 'handles' | 'address' | 'tunnels'

export interface Upkeep {
  /** Brings the part to what it shall be; tried again until it resolves. */
  sync(): Promise<void>
  /** While it fails, the node takes no pods. */
  readonly isNeededByPods: boolean
}

/** Edits of many objects within this time make one reload of BIRD. */
const settleMs = 20

/** Keeps the parts of a node right, one at a time; what fails is a problem of the network until it succeeds. */
export class Parts {
  readonly #upkeep: Readonly<Record<Part, Upkeep>>
  readonly #queue: Workqueue
  readonly #problems = new Map<Part | 'start', string>([['start', 'the routed network is starting']])

  constructor(upkeep: Readonly<Record<Part, Upkeep>>, log: Log) {
    this.#upkeep = upkeep
    this.#queue = new Workqueue({
      name: 'routed',
      log,
      settleMs,
      maxDelayMs: 5000,
      reconcile: (part) => this.#reconcile(part as Part),
    })
  }

  /** Something that the part depends on has changed. */
  readonly change = (part: Part): void => this.#queue.add(part)

  /** Brings the part to what it shall be now; what fails is a problem and tried again. */
  async sync(part: Part): Promise<void> {
    await this.#reconcile(part).catch(() => this.change(part))
  }

  /** All that pods need is there. */
  started(): void {
    this.#problems.delete('start')
  }

  get problems(): string[] {
    return [...this.#problems.values()]
  }

  stop(): Promise<void> {
    return this.#queue.stop()
  }

  async #reconcile(part: Part): Promise<void> {
    const { sync, isNeededByPods } = this.#upkeep[part]
    try {
      await sync()
      this.#problems.delete(part)
    } catch (error) {
      if (isNeededByPods) this.#problems.set(part, describeError(error))
      throw error
    }
  }
}
