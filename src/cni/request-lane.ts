import { CniError, cniErrorCode } from './errors.ts'

export interface RequestLaneOptions {
  readonly name: string
  /** Requests worked on at once. */
  readonly concurrency: number
  /** Requests that may wait for their turn; more are told to try again. */
  readonly waitingLimit: number
  /** Longest wait for a turn. */
  readonly waitMs: number
}

/**
 * Requests that take turns, first come first served. What waits is bounded in number and in time, so that a burst
 * queues instead of growing; who is refused is told code 11 and the numbers.
 */
export class RequestLane {
  readonly #options: RequestLaneOptions
  readonly #waiting = new Set<() => void>()
  #inFlight = 0

  constructor(options: RequestLaneOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Throws CniError with code 11 for one request too many or a wait too long, and the signal's reason. */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    if (this.#inFlight < this.#options.concurrency) this.#inFlight++
    else await this.#wait(signal)
    try {
      return await task()
    } finally {
      this.#passOn()
    }
  }

  /** The turn of the one before us is handed over, so `inFlight` stays as it is. */
  #wait(signal: AbortSignal): Promise<void> {
    const { waitingLimit, waitMs } = this.#options
    if (this.#waiting.size >= waitingLimit) throw this.#refusal('no more may wait')
    const late = AbortSignal.timeout(waitMs)
    const end = AbortSignal.any([signal, late])
    return new Promise((resolve, reject) => {
      const take = (): void => {
        end.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.delete(take)
        reject(signal.aborted ? signal.reason : this.#refusal(`the turn did not come within ${waitMs / 1000} s`))
      }
      this.#waiting.add(take)
      end.addEventListener('abort', leave, { once: true })
    })
  }

  #passOn(): void {
    const [next] = this.#waiting
    if (next === undefined) return void this.#inFlight--
    this.#waiting.delete(next)
    next()
  }

  #refusal(why: string): CniError {
    const { name, concurrency } = this.#options
    const numbers = `${this.#inFlight} of ${concurrency} in work, ${this.#waiting.size} waiting`
    return new CniError(cniErrorCode.tryAgainLater, `too many ${name} requests at once (${numbers}): ${why}`)
  }
}
