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

/** What a request that has a turn may do with it. */
export interface Turn {
  /**
   * A wait in which the request does nothing here: others have its turn meanwhile. Afterwards it goes on when there is
   * one, before those that have not begun; after a failure at once, for then something may have to be taken back.
   */
  pause<T>(wait: () => Promise<T>): Promise<T>
}

/**
 * Requests that take turns, first come first served. What waits is bounded in number and in time, so that a burst
 * queues instead of growing; who is refused is told code 11 and the numbers.
 */
export class RequestLane {
  readonly #options: RequestLaneOptions
  readonly #waiting = new Set<() => void>()
  /** Those that had a turn and paused; they come first. */
  readonly #returning = new Set<() => void>()
  #inFlight = 0
  #paused = 0

  constructor(options: RequestLaneOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Begun, and waiting for something that is not done here. */
  get paused(): number {
    return this.#paused
  }

  /** Throws CniError with code 11 for one request too many or a wait too long, and the signal's reason. */
  async run<T>(task: (turn: Turn) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    if (this.#waiting.size >= this.#options.waitingLimit && this.#isFull) throw this.#refusal('no more may wait')
    await this.#take(this.#waiting, signal)
    const held = new HeldTurn({
      giveBack: () => this.#giveBack(),
      takeAgain: () => this.#take(this.#returning, signal),
      takeAtOnce: () => void this.#inFlight++,
      count: (change) => {
        this.#paused += change
      },
    })
    try {
      return await task(held)
    } finally {
      if (held.isHeld) this.#giveBack()
    }
  }

  get #isFull(): boolean {
    return this.#inFlight >= this.#options.concurrency
  }

  async #take(queue: Set<() => void>, signal: AbortSignal): Promise<void> {
    if (this.#isFull) await this.#wait(queue, signal)
    else this.#inFlight++
  }

  /** The turn of the one before us is handed over, so `inFlight` stays as it is. */
  #wait(queue: Set<() => void>, signal: AbortSignal): Promise<void> {
    const { waitMs } = this.#options
    const late = AbortSignal.timeout(waitMs)
    const end = AbortSignal.any([signal, late])
    return new Promise((resolve, reject) => {
      const take = (): void => {
        end.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        queue.delete(take)
        reject(signal.aborted ? signal.reason : this.#refusal(`the turn did not come within ${waitMs / 1000} s`))
      }
      if (end.aborted) return leave()
      queue.add(take)
      end.addEventListener('abort', leave, { once: true })
    })
  }

  #giveBack(): void {
    const queue = this.#returning.size > 0 ? this.#returning : this.#waiting
    const [next] = queue
    // Somebody went on at once after a failure: there is one too many.
    if (next === undefined || this.#inFlight > this.#options.concurrency) return void this.#inFlight--
    queue.delete(next)
    next()
  }

  #refusal(why: string): CniError {
    const { name, concurrency } = this.#options
    const numbers = `${this.#inFlight} of ${concurrency} in work, ${this.#waiting.size} waiting`
    return new CniError(cniErrorCode.tryAgainLater, `too many ${name} requests at once (${numbers}): ${why}`)
  }
}

interface Hand {
  giveBack(): void
  takeAgain(): Promise<void>
  takeAtOnce(): void
  count(change: 1 | -1): void
}

/** The turn of one request, of which several parts may pause side by side: it is given back once. */
class HeldTurn implements Turn {
  readonly #hand: Hand
  #pauses = 0
  isHeld = true

  constructor(hand: Hand) {
    this.#hand = hand
  }

  async pause<T>(wait: () => Promise<T>): Promise<T> {
    this.#begin()
    let result: T
    try {
      result = await wait()
    } catch (error) {
      if (this.#end()) this.#hand.takeAtOnce()
      throw error
    }
    if (this.#end()) await this.#takeAgain()
    return result
  }

  #begin(): void {
    if (this.#pauses++ > 0 || !this.isHeld) return
    this.isHeld = false
    this.#hand.count(1)
    this.#hand.giveBack()
  }

  /** Tells whether the turn is to be taken again, which it then counts as. */
  #end(): boolean {
    if (--this.#pauses > 0 || this.isHeld) return false
    this.isHeld = true
    this.#hand.count(-1)
    return true
  }

  async #takeAgain(): Promise<void> {
    try {
      await this.#hand.takeAgain()
    } catch (error) {
      this.isHeld = false
      throw error
    }
  }
}
