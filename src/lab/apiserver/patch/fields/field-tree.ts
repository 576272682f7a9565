import { isObject, type JsonObject } from '../../json.ts'

/**
 * A set of fields of an object, as `fieldsV1` writes it. Keys of children are path elements: `f:name` a member,
 * `k:{"name":"x"}` an item of a keyed list, `v:"x"` an item of a set.
 */
export interface FieldTree {
  isMember: boolean
  readonly children: Map<string, FieldTree>
}

export function emptyTree(): FieldTree {
  return { isMember: false, children: new Map() }
}

/** The child under a path element; made when it is not there. */
export function childOf(tree: FieldTree, element: string): FieldTree {
  const found = tree.children.get(element)
  if (found !== undefined) return found
  const created = emptyTree()
  tree.children.set(element, created)
  return created
}

export function isEmptyTree(tree: FieldTree): boolean {
  return !tree.isMember && [...tree.children.values()].every(isEmptyTree)
}

export function union(...trees: readonly FieldTree[]): FieldTree {
  const result = emptyTree()
  for (const tree of trees) addAll(result, tree)
  return result
}

function addAll(into: FieldTree, tree: FieldTree): void {
  into.isMember ||= tree.isMember
  for (const [element, child] of tree.children) addAll(childOf(into, element), child)
}

/** The members of `a` that are not in `b`. */
export function difference(a: FieldTree, b: FieldTree | undefined): FieldTree {
  return combine(a, b, (inA, inB) => inA && !inB)
}

/** The members that are in both. */
export function intersection(a: FieldTree, b: FieldTree | undefined): FieldTree {
  return combine(a, b, (inA, inB) => inA && inB)
}

function combine(a: FieldTree, b: FieldTree | undefined, keep: (inA: boolean, inB: boolean) => boolean): FieldTree {
  const result = emptyTree()
  result.isMember = keep(a.isMember, b?.isMember === true)
  for (const [element, child] of a.children) {
    const combined = combine(child, b?.children.get(element), keep)
    if (!isEmptyTree(combined)) result.children.set(element, combined)
  }
  return result
}

export function isSameTree(a: FieldTree, b: FieldTree): boolean {
  return isEmptyTree(difference(a, b)) && isEmptyTree(difference(b, a))
}

/** Paths of the members, in the form of conflict messages: `.spec.containers[name="a"].image`. */
export function pathsOf(tree: FieldTree, prefix = ''): string[] {
  const own = tree.isMember && prefix !== '' ? [prefix] : []
  return [...own, ...[...tree.children].flatMap(([element, child]) => pathsOf(child, prefix + pathText(element)))]
}

function pathText(element: string): string {
  const text = element.slice(2)
  if (element.startsWith('f:')) return `.${text}`
  if (element.startsWith('v:')) return `[=${text}]`
  const keys = Object.entries(JSON.parse(text) as JsonObject)
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`
}

/** Reads `fieldsV1`. */
export function parseFields(fields: unknown): FieldTree {
  const tree = emptyTree()
  if (!isObject(fields)) return tree
  for (const [element, value] of Object.entries(fields)) {
    if (element === '.') tree.isMember = true
    else tree.children.set(element, parseChild(value))
  }
  return tree
}

function parseChild(value: unknown): FieldTree {
  const child = parseFields(value)
  if (child.children.size === 0) child.isMember = true
  return child
}

/** Writes `fieldsV1`: a member alone is `{}`, a member with children below it carries `.`. */
export function renderFields(tree: FieldTree): JsonObject {
  const result: JsonObject = {}
  const children = [...tree.children].filter(([, child]) => !isEmptyTree(child)).sort(([a], [b]) => (a < b ? -1 : 1))
  if (tree.isMember && children.length > 0) result['.'] = {}
  for (const [element, child] of children) result[element] = renderFields(child)
  return result
}
