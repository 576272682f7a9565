/**
 * Puts two parts of one list together: `ordered` in its own order, `others` where they stood in the original list
 * relative to it.
 */
export function interleave<T>(ordered: readonly T[], others: readonly T[], placeInOriginal: (item: T) => number): T[] {
  const result: T[] = []
  const rest = [...others]
  for (const item of ordered) {
    const place = placeInOriginal(item)
    while (rest[0] !== undefined && place >= 0 && placeInOriginal(rest[0]) < place) result.push(rest.shift() as T)
    result.push(item)
  }
  return [...result, ...rest]
}
