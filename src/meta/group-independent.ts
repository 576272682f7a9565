/**
 * Cuts a list into runs whose members may be worked on side by side: neighbours that are independent of others. One
 * that is not stands alone.
 */
export function groupIndependent<T>(items: readonly T[], isIndependent: (item: T) => boolean): T[][] {
  const groups: T[][] = []
  let previous = false
  for (const item of items) {
    const current = isIndependent(item)
    const last = groups.at(-1)
    if (current && previous && last !== undefined) last.push(item)
    else groups.push([item])
    previous = current
  }
  return groups
}
