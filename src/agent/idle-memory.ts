import { describeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

export interface IdleMemoryOptions {
  /** Gives free memory back to the system. */
  readonly giveBack: () => Promise<void>
  readonly log: Log
  /** How long nothing has been asked for. @default 5000 */
  readonly idleMs?: number
  /** Growth since the last time that is worth a pause. @default 4 MiB */
  readonly worthBytes?: number
  /** @default resident memory of this process */
  readonly residentBytes?: () => number
}

/**
 * Gives back what a burst has used once it is over: otherwise a node keeps the memory of its worst minute, for neither
 * V8 nor malloc looks for free pages while nothing is allocated.
 */
export class IdleMemory {
  readonly #options: IdleMemoryOptions
  #timer: NodeJS.Timeout | undefined
  #lastWorkAt = 0
  #smallest: number

  constructor(options: IdleMemoryOptions) {
    this.#options = options
    this.#smallest = this.#resident()
  }

  /** Call it when work has been done; costs nothing. */
  noteWork(): void {
    this.#lastWorkAt = performance.now()
    if (this.#timer === undefined) this.#wait(this.#idleMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  get #idleMs(): number {
    return this.#options.idleMs ?? 5000
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), ms)
    this.#timer.unref()
  }

  #look(): void {
    const restMs = this.#lastWorkAt + this.#idleMs - performance.now()
    if (restMs > 1) {
      this.#wait(restMs)
      return
    }
    this.#timer = undefined
    if (this.#resident() - this.#smallest >= (this.#options.worthBytes ?? 4 << 20)) void this.#giveBack()
  }

  async #giveBack(): Promise<void> {
    const { giveBack, log } = this.#options
    const before = this.#resident()
    try {
      await giveBack()
    } catch (error) {
      log.warn({ error: describeError(error) }, 'memory could not be given back')
    }
    this.#smallest = this.#resident()
    log.debug({ before, after: this.#smallest }, 'gave memory back')
  }

  #resident(): number {
    return this.#options.residentBytes?.() ?? process.memoryUsage.rss()
  }
}
