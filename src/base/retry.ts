import { type Clock, systemClock } from './clock.ts'

export interface RetryOptions {
  /** @default Infinity */
  attempts?: number
  /** @default 100 */
  minDelayMs?: number
  /** @default 30000 */
  maxDelayMs?: number
  /** Whether this error is worth another try. @default always */
  retryable?: (error: unknown) => boolean
  /** The least wait after this error, when it says so itself, e.g. by Retry-After. @default the back-off's own */
  leastDelayMs?: (error: unknown) => number | undefined
  onRetry?: (error: unknown, delayMs: number) => void
  signal?: AbortSignal | undefined
  clock?: Clock
}

/** Exponential back-off with full jitter: between half and the whole of `min * 2^attempt`, at most `max`. */
export function backoffMs(attempt: number, minDelayMs = 100, maxDelayMs = 30_000, random = Math.random): number {
  const ceiling = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(attempt, 30))
  return Math.round(ceiling / 2 + (random() * ceiling) / 2)
}

/** Runs `task` until it succeeds, its error is not retryable, the attempts are used up, or the signal aborts. */
export async function retry<T>(task: (attempt: number) => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const clock = options.clock ?? systemClock
  for (let attempt = 0; ; attempt++) {
    options.signal?.throwIfAborted()
    try {
      return await task(attempt)
    } catch (error) {
      if (attempt + 1 >= (options.attempts ?? Number.POSITIVE_INFINITY)) throw error
      if (options.retryable !== undefined && !options.retryable(error)) throw error
      const backoff = backoffMs(attempt, options.minDelayMs, options.maxDelayMs)
      const delayMs = Math.max(backoff, options.leastDelayMs?.(error) ?? 0)
      options.onRetry?.(error, delayMs)
      await clock.sleep(delayMs, options.signal)
    }
  }
}
