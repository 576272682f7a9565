import type { JsonObject } from '../../json.ts'
import type { Typed } from '../../schema/schema.ts'
import { assemble, isEmptyContainer, type Part, partsOf } from './elements.ts'
import { type FieldTree, isEmptyTree } from './field-tree.ts'

/**
 * Removes what a manager owned and no longer speaks about, unless another manager owns it or something in it.
 * `dropped` are the fields of its last configuration, `owned` everything that anyone owns now.
 */
export function pruneDropped(value: unknown, typed: Typed, dropped: FieldTree, owned: FieldTree | undefined): unknown {
  const parts = partsOf(value, typed)
  if (parts === undefined) return value
  const kept: [string, unknown][] = []
  for (const [element, part] of parts.parts) {
    const last = dropped.children.get(element)
    const rest = last === undefined ? part.value : pruneChild(element, part, last, owned?.children.get(element))
    if (rest !== undefined) kept.push([element, rest])
  }
  return assemble(parts.kind, kept)
}

/** Undefined when nothing is left. */
function pruneChild(element: string, part: Part, last: FieldTree, owned: FieldTree | undefined): unknown {
  const isOwned = owned !== undefined && !isEmptyTree(owned)
  if (last.isMember && !isOwned) return undefined
  const rest = pruneDropped(part.value, part.typed, withoutKeys(element, last), owned)
  const hasBecomeEmpty = isEmptyContainer(rest) && !isEmptyContainer(part.value)
  return hasBecomeEmpty && !isOwned ? undefined : rest
}

/** The fields that identify an item of a keyed list go only with the item. */
function withoutKeys(element: string, tree: FieldTree): FieldTree {
  if (!element.startsWith('k:')) return tree
  const keys = Object.keys(JSON.parse(element.slice(2)) as JsonObject).map((key) => `f:${key}`)
  return { ...tree, children: new Map([...tree.children].filter(([child]) => !keys.includes(child))) }
}
