import type { Typed } from '../../schema/schema.ts'
import { isEmptyContainer, partsOf } from './elements.ts'
import { childOf, emptyTree, type FieldTree } from './field-tree.ts'

/** The fields that a configuration speaks about. */
export function fieldSetOf(value: unknown, typed: Typed): FieldTree {
  const tree = emptyTree()
  collect(value, typed, tree)
  return tree
}

function collect(value: unknown, typed: Typed, tree: FieldTree): void {
  const parts = partsOf(value, typed)
  if (parts === undefined) {
    tree.isMember = true
    return
  }
  for (const [element, part] of parts.parts) {
    const child = childOf(tree, element)
    collect(part.value, part.typed, child)
    if (!part.isNamed || isEmptyContainer(part.value) || part.value === null) child.isMember = true
  }
}
