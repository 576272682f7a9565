import { type DeadlineOptions, defer, withDeadline } from './clock.ts'

export type Unsubscribe = () => void

/** A set of listeners for one kind of event. A listener that throws does not keep the others from hearing. */
export class Emitter<T> {
  readonly #listeners = new Set<(event: T) => void>()

  on(listener: (event: T) => void): Unsubscribe {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  emit(event: T): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

/** Anything that can say "I changed": informers, database caches, kernel watches. */
export interface Changing {
  onChange(listener: () => void): Unsubscribe
}

/** Resolves with the first defined value of `look`, which is asked now and after every change. Never polls. */
export async function waitFor<T>(source: Changing, look: () => T | undefined, options: DeadlineOptions): Promise<T> {
  const first = look()
  if (first !== undefined) return first
  const found = defer<T>()
  const unsubscribe = source.onChange(() => {
    try {
      const value = look()
      if (value !== undefined) found.resolve(value)
    } catch (error) {
      found.reject(error)
    }
  })
  try {
    return await withDeadline(found.promise, options)
  } finally {
    unsubscribe()
  }
}
