import { isEqual, isObject, type JsonObject } from '../../json.ts'
import { memberSchema, openSchema, resolve, type Schema, type SchemaSource, type Typed } from '../../schema/schema.ts'

/** A value taken apart one level, as ownership sees it. Path elements as in FieldTree. */
export interface Parts {
  readonly kind: 'members' | 'items'
  readonly parts: ReadonlyMap<string, Part>
}

export interface Part {
  readonly value: unknown
  readonly typed: Typed
  /** Whether the schema itself names this part; entries of maps and items of lists are not named. */
  readonly isNamed: boolean
}

/**
 * The parts that can have different owners, or undefined when the value is owned as a whole: a scalar, an atomic list or
 * map. Lists without a declared type are atomic.
 */
export function partsOf(value: unknown, typed: Typed): Parts | undefined {
  const schema = resolve(typed.schema, typed.source)
  if (isObject(value)) {
    return schema['x-kubernetes-map-type'] === 'atomic' ? undefined : membersOf(value, schema, typed.source)
  }
  if (!Array.isArray(value)) return undefined
  const items = { schema: schema.items ?? openSchema, source: typed.source }
  switch (schema['x-kubernetes-list-type']) {
    case 'map':
      return itemsOf(value, items, (item) => keyElement(item, schema, items))
    case 'set':
      return itemsOf(value, items, (item) => `v:${JSON.stringify(item)}`)
    default:
      return undefined
  }
}

function membersOf(value: JsonObject, schema: Schema, source: SchemaSource): Parts {
  const parts = new Map<string, Part>()
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue
    const isNamed = schema.properties !== undefined && Object.hasOwn(schema.properties, key)
    const typed = { schema: memberSchema(schema, key) ?? openSchema, source }
    parts.set(`f:${key}`, { value: member, typed, isNamed })
  }
  return { kind: 'members', parts }
}

function itemsOf(list: readonly unknown[], typed: Typed, elementOf: (item: unknown) => string): Parts {
  return { kind: 'items', parts: new Map(list.map((value) => [elementOf(value), { value, typed, isNamed: false }])) }
}

/** An absent key counts with its default, as `protocol: TCP` of a port. */
function keyElement(item: unknown, schema: Schema, items: Typed): string {
  const keys = [...(schema['x-kubernetes-list-map-keys'] ?? [])].sort()
  const declared = resolve(items.schema, items.source).properties ?? {}
  const values = keys.flatMap((key) => {
    const value = (isObject(item) ? item[key] : undefined) ?? declared[key]?.default
    return value === undefined ? [] : [[key, value] as const]
  })
  return `k:${JSON.stringify(Object.fromEntries(values))}`
}

/** Builds a value of the same kind from parts, in their order. */
export function assemble(kind: Parts['kind'], parts: Iterable<readonly [string, unknown]>): unknown {
  if (kind === 'items') return [...parts].map(([, value]) => value)
  return Object.fromEntries([...parts].map(([element, value]) => [element.slice(2), value]))
}

export function isEmptyContainer(value: unknown): boolean {
  return isEqual(value, {}) || isEqual(value, [])
}
