/** What to do to make `actual` equal `desired`. */
export interface Delta<D, A = D> {
  readonly create: D[]
  readonly update: { desired: D; actual: A }[]
  readonly remove: A[]
}

/** Compares two keyed sets. `isEqual` says whether an existing item is already as desired. */
export function computeDelta<D, A = D>(options: {
  desired: Iterable<D>
  actual: Iterable<A>
  desiredKey: (item: D) => string
  actualKey: (item: A) => string
  isEqual: (desired: D, actual: A) => boolean
}): Delta<D, A> {
  const delta: Delta<D, A> = { create: [], update: [], remove: [] }
  const left = new Map<string, A>()
  for (const item of options.actual) left.set(options.actualKey(item), item)
  for (const item of options.desired) {
    const key = options.desiredKey(item)
    const found = left.get(key)
    left.delete(key)
    if (found === undefined) delta.create.push(item)
    else if (!options.isEqual(item, found)) delta.update.push({ desired: item, actual: found })
  }
  delta.remove.push(...left.values())
  return delta
}
