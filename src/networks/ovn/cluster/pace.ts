import { type Clock, systemClock } from '../../../base/clock.ts'

/** After so long without a write the next one does not wait. */
const calmMs = 250
const shortestMs = 20
const longestMs = 100
/** Pods in one write that make a burst: those that come and go one after the other do not. */
const burstSize = 4

/**
 * Spaces out writes under burst: northd computes everything anew for each transaction, so many small ones make every
 * pod wait longer than a few that share. The first write never waits, the next ones 20 ms after it; those of many pods
 * that follow one another wait longer each time, up to 100 ms.
 */
export class Pace {
  readonly #clock: Clock
  #lastAt = Number.NEGATIVE_INFINITY
  #intervalMs = shortestMs

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Resolves when it is time for another write. */
  async wait(): Promise<void> {
    const remainingMs = this.#lastAt + this.#intervalMs - this.#clock.now()
    if (remainingMs > 0) await this.#clock.sleep(remainingMs)
  }

  /** There was a write for so many pods. */
  written(pods: number): void {
    const now = this.#clock.now()
    const isBurst = pods >= burstSize && now - this.#lastAt < calmMs
    this.#intervalMs = isBurst ? Math.min(longestMs, this.#intervalMs * 2) : shortestMs
    this.#lastAt = now
  }
}
