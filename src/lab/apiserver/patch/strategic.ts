import { isEqual, isObject, type JsonObject, setKey } from '../json.ts'
import { memberSchema, openSchema, resolve, type Schema, type SchemaSource, type Typed } from '../schema/schema.ts'
import { badRequest } from '../status.ts'
import { interleave } from './interleave.ts'

const directive = '$patch'
const retain = '$retainKeys'
const orderPrefix = '$setElementOrder/'
const deletePrefix = '$deleteFromPrimitiveList/'

/**
 * Strategic merge patch: like a merge patch, but lists whose schema names a merge key merge item by item, and the
 * directives `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…` are obeyed. Changes neither
 * argument. Throws 400 on a malformed directive.
 */
export function applyStrategicPatch(target: JsonObject, patch: JsonObject, typed: Typed): JsonObject {
  return mergeObject(target, patch, typed.schema, typed.source)
}

function mergeObject(target: JsonObject, patch: JsonObject, schema: Schema, source: SchemaSource): JsonObject {
  const actual = resolve(schema, source)
  if (patch[directive] === 'replace') return withoutDirectives(patch)
  if (patch[directive] === 'delete') return {}
  const result = retainKeys({ ...target }, patch[retain])
  for (const key of Object.keys(patch)) {
    if (key.startsWith(deletePrefix)) removeItems(result, key.slice(deletePrefix.length), patch[key])
  }
  for (const [key, value] of Object.entries(patch)) {
    if (!key.startsWith('$')) mergeMember(result, key, value, { actual, source, order: patch[orderPrefix + key] })
  }
  for (const key of Object.keys(patch)) {
    if (key.startsWith(orderPrefix)) orderUnpatched(result, key.slice(orderPrefix.length), patch, actual)
  }
  return result
}

interface Place {
  readonly actual: Schema
  readonly source: SchemaSource
  readonly order: unknown
}

function mergeMember(result: JsonObject, key: string, value: unknown, { actual, source, order }: Place): void {
  const schema = memberSchema(actual, key) ?? openSchema
  const current = Object.hasOwn(result, key) ? result[key] : undefined
  if (value === null) delete result[key]
  else if (isObject(value)) {
    setKey(result, key, mergeObject(isObject(current) ? current : {}, value, schema, source))
    if (value[directive] === 'delete') delete result[key]
  } else if (Array.isArray(value) && merges(schema)) {
    setKey(result, key, mergeList(Array.isArray(current) ? current : [], value, { schema, source, order }))
  } else setKey(result, key, value)
}

function merges(schema: Schema): boolean {
  return schema['x-kubernetes-patch-strategy']?.split(',').includes('merge') === true
}

interface ListPlace {
  readonly schema: Schema
  readonly source: SchemaSource
  readonly order: unknown
}

function mergeList(current: unknown[], patch: unknown[], { schema, source, order }: ListPlace): unknown[] {
  const mergeKey = schema['x-kubernetes-patch-merge-key']
  if (mergeKey === undefined) {
    const added = patch.filter((item) => !current.some((one) => isEqual(one, item)))
    return inOrder([...current, ...added], current, order, undefined)
  }
  const items = patch.map((item) => asItem(item, mergeKey))
  if (items.some((item) => item[directive] === 'replace')) {
    return items.filter((item) => item[directive] === undefined).map(withoutDirectives)
  }
  const merged = items.reduce((list, item) => mergeItem(list, item, mergeKey, schema, source), current)
  return inOrder(merged, current, order, mergeKey)
}

function asItem(item: unknown, mergeKey: string): JsonObject {
  if (isObject(item) && (item[directive] === 'replace' || item[mergeKey] !== undefined)) return item
  throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`)
}

function mergeItem(
  list: unknown[],
  item: JsonObject,
  mergeKey: string,
  schema: Schema,
  source: SchemaSource,
): unknown[] {
  const index = list.findIndex((one) => isObject(one) && isEqual(one[mergeKey], item[mergeKey]))
  if (item[directive] === 'delete') return index < 0 ? list : list.toSpliced(index, 1)
  const before = index < 0 ? {} : (list[index] as JsonObject)
  const merged = mergeObject(before, item, schema.items ?? openSchema, source)
  return index < 0 ? [...list, merged] : list.with(index, merged)
}

/** The client's order for the items that it knows; the others stay where they were. */
function inOrder(list: unknown[], before: unknown[], order: unknown, mergeKey: string | undefined): unknown[] {
  if (!Array.isArray(order)) return list
  const keyOf = (item: unknown): unknown =>
    mergeKey === undefined ? item : isObject(item) ? item[mergeKey] : undefined
  const placeIn = (places: readonly unknown[], item: unknown): number =>
    places.findIndex((place) => isEqual(keyOf(place), keyOf(item)))
  const known = list.filter((item) => placeIn(order, item) >= 0)
  known.sort((a, b) => placeIn(order, a) - placeIn(order, b))
  const others = list.filter((item) => placeIn(order, item) < 0)
  return interleave(known, others, (item) => placeIn(before, item))
}

/** A patch may give a new order to a list that it does not otherwise touch. */
function orderUnpatched(result: JsonObject, key: string, patch: JsonObject, schema: Schema): void {
  const list = result[key]
  if (Object.hasOwn(patch, key) || !Array.isArray(list)) return
  const mergeKey = memberSchema(schema, key)?.['x-kubernetes-patch-merge-key']
  result[key] = inOrder(list, list, patch[orderPrefix + key], mergeKey)
}

function retainKeys(object: JsonObject, kept: unknown): JsonObject {
  if (!Array.isArray(kept)) return object
  return Object.fromEntries(Object.entries(object).filter(([key]) => kept.includes(key)))
}

function removeItems(object: JsonObject, key: string, items: unknown): void {
  const list = object[key]
  if (!Array.isArray(list) || !Array.isArray(items)) return
  object[key] = list.filter((one) => !items.some((item) => isEqual(item, one)))
}

function withoutDirectives(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key, value]) => !key.startsWith('$') && value !== null))
}
