import { isEqual } from '../../json.ts'
import type { Typed } from '../../schema/schema.ts'
import { type Part, type Parts, partsOf } from './elements.ts'
import { childOf, emptyTree, type FieldTree } from './field-tree.ts'

/** How one object differs from another, in fields. */
export interface Comparison {
  readonly added: FieldTree
  readonly modified: FieldTree
  readonly removed: FieldTree
}

/** Compares two values of the same schema; undefined stands for nothing at all. */
export function compare(before: unknown, after: unknown, typed: Typed): Comparison {
  const result = { added: emptyTree(), modified: emptyTree(), removed: emptyTree() }
  compareValues(before, after, typed, result, 0)
  return result
}

function compareValues(before: unknown, after: unknown, typed: Typed, at: Comparison, depth: number): void {
  const [old, now] = [partsOf(before, typed), partsOf(after, typed)]
  const isLeaf = (before !== undefined && old === undefined) || (after !== undefined && now === undefined)
  if (isLeaf) compareLeaves(before, after, at)
  else {
    markContainer(before, after, at, depth)
    compareParts(old, now, at, depth)
  }
}

function compareParts(old: Parts | undefined, now: Parts | undefined, at: Comparison, depth: number): void {
  const elements = new Set([...(old?.parts.keys() ?? []), ...(now?.parts.keys() ?? [])])
  for (const element of elements) {
    const [oldPart, newPart] = [old?.parts.get(element), now?.parts.get(element)]
    const { typed } = (newPart ?? oldPart) as Part
    compareValues(oldPart?.value, newPart?.value, typed, below(at, element), depth + 1)
  }
}

function compareLeaves(before: unknown, after: unknown, at: Comparison): void {
  if (before === undefined) at.added.isMember = true
  else if (after === undefined) at.removed.isMember = true
  else if (!isEqual(before, after)) at.modified.isMember = true
}

/** A struct or list that comes or goes counts itself, save the object and its metadata, spec and status. */
function markContainer(before: unknown, after: unknown, at: Comparison, depth: number): void {
  if (depth < 2) return
  if (before === undefined) at.added.isMember = true
  else if (after === undefined) at.removed.isMember = true
}

function below({ added, modified, removed }: Comparison, element: string): Comparison {
  return { added: childOf(added, element), modified: childOf(modified, element), removed: childOf(removed, element) }
}
