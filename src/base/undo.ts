import { CombinedError } from './errors.ts'

type Step = { readonly what: string; readonly run: () => Promise<void> | void }

/**
 * What to take back if a later step fails, in reverse order.
 *
 * Usage: `const undo = new UndoStack(); try { …; undo.push('the address', () => release()) … } catch (error) { throw await undo.unwind(error) }`
 */
export class UndoStack {
  readonly #steps: Step[] = []

  push(what: string, run: () => Promise<void> | void): void {
    this.#steps.push({ what, run })
  }

  /** Runs every step, newest first, never stopping at a failure. Returns `error`, with the failures of the undo attached as a CombinedError. */
  async unwind(error: unknown): Promise<unknown> {
    const failures = await this.#runAll()
    return failures.length === 0
      ? error
      : new CombinedError('failed, and could not undo everything', [error, ...failures])
  }

  async #runAll(): Promise<unknown[]> {
    const failures: unknown[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.run()
      } catch (error) {
        failures.push(new Error(`undo of ${step.what}`, { cause: error }))
      }
    }
    return failures
  }
}

/** Runs every task even when some fail; throws a CombinedError of all failures. For teardown. */
export async function runAll(what: string, tasks: readonly (() => Promise<void> | void)[]): Promise<void> {
  const failures: unknown[] = []
  for (const task of tasks) {
    try {
      await task()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures.length === 1 ? failures[0] : new CombinedError(what, failures)
}
