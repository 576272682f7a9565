/** Which objects, by name, have a value; an object may have many values. */
export class NameIndex {
  readonly #namesOf = new Map<string, Set<string>>()
  readonly #valuesOf = new Map<string, ReadonlySet<string>>()

  /** Replaces the values of an object; none forgets it. */
  set(name: string, values: Iterable<string>): void {
    const before = this.#valuesOf.get(name) ?? new Set<string>()
    const now = new Set(values)
    for (const value of before) if (!now.has(value)) this.#drop(value, name)
    for (const value of now) if (!before.has(value)) this.#add(value, name)
    if (now.size === 0) this.#valuesOf.delete(name)
    else this.#valuesOf.set(name, now)
  }

  names(value: string): ReadonlySet<string> {
    return this.#namesOf.get(value) ?? new Set()
  }

  #add(value: string, name: string): void {
    const names = this.#namesOf.get(value) ?? new Set()
    this.#namesOf.set(value, names.add(name))
  }

  #drop(value: string, name: string): void {
    const names = this.#namesOf.get(value)
    names?.delete(name)
    if (names?.size === 0) this.#namesOf.delete(value)
  }
}
