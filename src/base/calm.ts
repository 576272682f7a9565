import { type Clock, systemClock } from './clock.ts'

export interface CalmOptions {
  /** Nobody has been busy for this long. @default 0 */
  readonly settleMs?: number
  /** Whatever happens, it is calm after this time. @default 1000 */
  readonly atMostMs?: number
  readonly signal?: AbortSignal | undefined
}

/** Lets work that nobody waits for step back while somebody is waited for. */
export class Calm {
  readonly #clock: Clock
  #busy = 0
  #changes = 0

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Runs a task that somebody waits for. */
  async busyWith<T>(task: () => Promise<T>): Promise<T> {
    this.#busy++
    this.#changes++
    try {
      return await task()
    } finally {
      this.#busy--
      this.#changes++
    }
  }

  /** Resolves when it is the turn of work that nobody waits for. */
  async wait({ settleMs = 0, atMostMs = 1000, signal }: CalmOptions = {}): Promise<void> {
    if (settleMs === 0 && this.#busy === 0) return
    const until = this.#clock.now() + atMostMs
    const stepMs = Math.max(settleMs, 5)
    while (this.#clock.now() < until) {
      const before = this.#changes
      await this.#clock.sleep(stepMs, signal)
      if (this.#busy === 0 && this.#changes === before) return
    }
  }
}
