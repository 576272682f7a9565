import { setTimeout as delay } from 'node:timers/promises'
import { TimeoutError } from './errors.ts'

/** Time as the code sees it, so that tests can fake it. */
export interface Clock {
  now(): number
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
}

/** A promise with its two ends in one's hand. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

export function defer<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}

export interface DeadlineOptions {
  /** What is waited for, as it completes "timed out waiting for …". */
  what: string
  timeoutMs: number
  signal?: AbortSignal | undefined
  /** Called at the deadline: what is known about why it is late. */
  detail?: () => string | undefined
}

/** Rejects with TimeoutError at the deadline, or with the signal's reason when it aborts first. */
export async function withDeadline<T>(promise: Promise<T>, options: DeadlineOptions): Promise<T> {
  options.signal?.throwIfAborted()
  const end = defer<never>()
  const timer = setTimeout(() => end.reject(lateError(options)), options.timeoutMs)
  const onAbort = (): void => end.reject(options.signal?.reason)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, end.promise])
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', onAbort)
  }
}

function lateError(options: DeadlineOptions): TimeoutError {
  const detail = options.detail?.()
  return new TimeoutError(options.what, options.timeoutMs, detail === undefined ? {} : { detail })
}
