import type { ApiObject } from '../object.ts'

/** One stored object with its JSON text, which lists and watches reuse. */
export interface Stored {
  readonly object: ApiObject
  readonly json: string
}

/** One change of the store. For a deletion `stored` is the last state, with the deletion's resourceVersion. */
export interface Change {
  readonly revision: number
  readonly collection: string
  readonly key: string
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly stored: Stored
  readonly before: Stored | undefined
}

/** The last changes, oldest first, so that a watch can resume at a resourceVersion. */
export class History {
  readonly #limit: number
  #changes: Change[] = []
  /** Every change after this revision is here. */
  #floor: number

  constructor(limit: number, floor: number) {
    this.#limit = limit
    this.#floor = floor
  }

  get floor(): number {
    return this.#floor
  }

  push(change: Change): void {
    this.#changes.push(change)
    if (this.#changes.length < this.#limit * 2) return
    this.#changes = this.#changes.slice(-this.#limit)
    this.#floor = (this.#changes[0] as Change).revision - 1
  }

  /** The changes of one collection after a revision, or undefined when some of them are no longer known. */
  after(revision: number, collection: string): Change[] | undefined {
    if (revision < this.#floor) return undefined
    return this.#changes.slice(this.#indexAfter(revision)).filter((change) => change.collection === collection)
  }

  #indexAfter(revision: number): number {
    let low = 0
    let high = this.#changes.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#changes[middle] as Change).revision <= revision) low = middle + 1
      else high = middle
    }
    return low
  }
}
