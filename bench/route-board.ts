import { type Deferred, defer } from '../src/base/clock.ts'

/** Which kernels have which routes, and when the last that was waited for came. */
export class RouteBoard {
  readonly #seen = new Map<string, Set<string>>()
  /** `<node> <destination>` */
  #missing = new Set<string>()
  #complete: Deferred<void> = defer()
  /** Time of the last route that was missing, as `performance.now()` has it. */
  completedAt = 0

  /** A kernel has a route. */
  note(node: string, destination: string): void {
    this.#seenBy(node).add(destination)
    if (!this.#missing.delete(key(node, destination)) || this.#missing.size > 0) return
    this.completedAt = performance.now()
    this.#complete.resolve()
  }

  /** What is waited for from now on; in place of what was before. */
  expect(wanted: readonly { node: string; destinations: readonly string[] }[]): void {
    this.#complete = defer()
    this.#missing = new Set(
      wanted.flatMap(({ node, destinations }) =>
        destinations
          .filter((destination) => !this.#seenBy(node).has(destination))
          .map((destination) => key(node, destination)),
      ),
    )
  }

  /** Resolves when nothing is missing. Something must have been missing when it was expected. */
  complete(): Promise<void> {
    return this.#complete.promise
  }

  /** Some of what is missing, for the message of a deadline. */
  missing(): string {
    const shown = [...this.#missing].slice(0, 5).join(', ')
    return `${this.#missing.size} routes are missing, such as ${shown}`
  }

  #seenBy(node: string): Set<string> {
    const known = this.#seen.get(node)
    if (known !== undefined) return known
    const empty = new Set<string>()
    this.#seen.set(node, empty)
    return empty
  }
}

function key(node: string, destination: string): string {
  return `${node} ${destination}`
}
