import { Emitter, type Unsubscribe } from '../base/observable.ts'
import type { StepStatus } from './status.ts'

/** What a lab is doing, step by step; says so whenever it changes. */
export class Progress {
  readonly #steps: StepStatus[] = []
  readonly #changed = new Emitter<void>()

  get steps(): readonly StepStatus[] {
    return this.#steps
  }

  onChange(listener: () => void): Unsubscribe {
    return this.#changed.on(listener)
  }

  /** Announces a change that is not a step. */
  touch(): void {
    this.#changed.emit()
  }

  /** Runs a step. `waiting` says what it waits for just now. */
  async step<T>(what: string, run: (waiting: (text: string) => void) => Promise<T>): Promise<T> {
    const index = this.#steps.push({ what, state: 'running', startedAt: Date.now() }) - 1
    this.touch()
    try {
      const value = await run((waitingFor) => this.#set(index, { waitingFor }))
      this.#set(index, { state: 'done', endedAt: Date.now() })
      return value
    } catch (error) {
      this.#set(index, { state: 'failed', endedAt: Date.now() })
      throw error
    }
  }

  #set(index: number, change: Partial<StepStatus>): void {
    const step = this.#steps[index]
    if (step === undefined) return
    this.#steps[index] = { ...step, ...change }
    this.touch()
  }
}
