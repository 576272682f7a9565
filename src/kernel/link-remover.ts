import { type Clock, defer, systemClock } from '../base/clock.ts'

/** Deletions that come within this time of the first share one wait in the kernel. */
const gatherMs = 1

interface Batch {
  readonly names: Set<string>
  readonly done: Promise<void>
}

/**
 * Deletes links, many with one wait. The kernel needs some milliseconds for a deletion, in which it does nothing but
 * wait (RCU), and hardly longer for a hundred at once.
 */
export class LinkRemover {
  readonly #remove: (names: readonly string[]) => Promise<void>
  readonly #clock: Clock
  #running: Promise<void> = Promise.resolve()
  #next: Batch | undefined

  constructor(remove: (names: readonly string[]) => Promise<void>, clock: Clock = systemClock) {
    this.#remove = remove
    this.#clock = clock
  }

  /** Resolves when the links are gone. A batch that fails is tried once more, each caller with its own links alone. */
  async delete(names: readonly string[]): Promise<void> {
    this.#next ??= this.#gather()
    const batch = this.#next
    for (const name of names) batch.names.add(name)
    try {
      await batch.done
    } catch {
      await this.#remove(names)
    }
  }

  #gather(): Batch {
    const names = new Set<string>()
    const done = defer()
    const before = this.#running
    this.#running = this.#runAfter(before, names).then(done.resolve, done.reject)
    return { names, done: done.promise }
  }

  async #runAfter(before: Promise<void>, names: ReadonlySet<string>): Promise<void> {
    await Promise.all([before, this.#clock.sleep(gatherMs)])
    this.#next = undefined
    await this.#remove([...names])
  }
}
