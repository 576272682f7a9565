import { describeError } from './errors.ts'
import type { Log } from './log.ts'
import { backoffMs } from './retry.ts'

export interface WorkqueueOptions {
  name: string
  /** Brings the thing that `key` names to its desired state. A rejection is retried with back-off. */
  reconcile: (key: string) => Promise<void>
  log: Log
  /** How many keys at once. @default 1 */
  concurrency?: number
  /** Edits within this time coalesce. @default 0 */
  settleMs?: number
  /** @default 30000 */
  maxDelayMs?: number
}

/**
 * Level-triggered work: keys, not events. A key added while it is being worked on is worked on once more afterwards;
 * a key never runs twice at the same time.
 */
export class Workqueue {
  readonly #options: WorkqueueOptions
  readonly #ready = new Set<string>()
  readonly #running = new Set<string>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #failures = new Map<string, number>()
  #idleWaiters: (() => void)[] = []
  #stopped = false

  constructor(options: WorkqueueOptions) {
    this.#options = options
  }

  add(key: string): void {
    this.#schedule(key, this.#options.settleMs ?? 0)
  }

  /** Resolves when nothing runs, nothing is ready and no retry is due. */
  async idle(): Promise<void> {
    while (this.#ready.size + this.#running.size + this.#timers.size > 0 && !this.#stopped) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
    }
  }

  /** Takes no more work and resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#ready.clear()
    while (this.#running.size > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }

  #schedule(key: string, delayMs: number): void {
    if (this.#stopped || this.#ready.has(key)) return
    const timer = this.#timers.get(key)
    if (timer !== undefined) {
      if (delayMs > 0) return
      clearTimeout(timer)
      this.#timers.delete(key)
    }
    if (delayMs > 0)
      this.#timers.set(
        key,
        setTimeout(() => this.#due(key), delayMs),
      )
    else this.#due(key)
  }

  #due(key: string): void {
    this.#timers.delete(key)
    this.#ready.add(key)
    this.#pump()
  }

  #pump(): void {
    for (const key of this.#ready) {
      if (this.#running.size >= (this.#options.concurrency ?? 1)) return
      if (this.#running.has(key)) continue
      this.#ready.delete(key)
      this.#running.add(key)
      void this.#work(key)
    }
  }

  async #work(key: string): Promise<void> {
    try {
      await this.#options.reconcile(key)
      this.#failures.delete(key)
    } catch (error) {
      this.#retry(key, error)
    } finally {
      this.#running.delete(key)
      if (!this.#stopped) this.#pump()
      const waiters = this.#idleWaiters
      this.#idleWaiters = []
      for (const resolve of waiters) resolve()
    }
  }

  #retry(key: string, error: unknown): void {
    const attempt = this.#failures.get(key) ?? 0
    this.#failures.set(key, attempt + 1)
    const delayMs = backoffMs(attempt, 50, this.#options.maxDelayMs ?? 30_000)
    this.#options.log.warn(
      { queue: this.#options.name, key, attempt, delayMs, error: describeError(error) },
      'reconcile failed, will retry',
    )
    this.#schedule(key, delayMs)
  }
}
