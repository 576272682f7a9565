import { isObject, type JsonObject } from '../json.ts'
import { isOpen, memberSchema, resolve, type Schema, type Typed } from './schema.ts'

/** What does not fit a schema's shape. Paths read `spec.containers[0].image`. */
export interface FieldFaults {
  unknown: string[]
  /** Complete sentences as a Go server words them. */
  mismatched: string[]
}

/**
 * Drops, in place, the members that the schema does not know and those that are null, and reports what it dropped and
 * which values are of the wrong type.
 */
export function pruneFields(value: JsonObject, typed: Typed, kind: string): FieldFaults {
  const faults: FieldFaults = { unknown: [], mismatched: [] }
  pruneObject(value, typed.schema, { typed, kind, faults }, '')
  return faults
}

interface Walk {
  typed: Typed
  kind: string
  faults: FieldFaults
}

function prune(value: unknown, schema: Schema, walk: Walk, path: string): void {
  const actual = resolve(schema, walk.typed.source)
  if (!hasType(value, actual)) walk.faults.mismatched.push(mismatch(value, actual, walk.kind, path))
  else if (isObject(value)) pruneObject(value, actual, walk, path)
  else if (Array.isArray(value) && actual.items !== undefined) {
    const { items } = actual
    value.forEach((item, index) => {
      prune(item, items, walk, `${path}[${index}]`)
    })
  }
}

function pruneObject(value: JsonObject, schema: Schema, walk: Walk, path: string): void {
  const actual = resolve(schema, walk.typed.source)
  if (isOpen(actual) && actual.properties === undefined) return
  for (const [key, member] of Object.entries(value)) {
    const place = path === '' ? key : `${path}.${key}`
    const known = memberSchema(actual, key)
    if (known === undefined) {
      walk.faults.unknown.push(place)
      delete value[key]
    } else if (member === null && !isNullKept(known)) delete value[key]
    else prune(member, known, walk, place)
  }
}

/** In the built-in kinds null is the same as absent, save where any JSON is allowed. */
function isNullKept(schema: Schema): boolean {
  return schema.nullable === true || schema['x-kubernetes-preserve-unknown-fields'] === true
}

function hasType(value: unknown, schema: Schema): boolean {
  if (value === null) return true
  if (schema['x-kubernetes-int-or-string'] === true) return typeof value === 'string' || typeof value === 'number'
  switch (schema.type) {
    case 'string':
      return typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return typeof value === 'number'
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isObject(value)
    default:
      return true
  }
}

const goTypes: Record<string, string> = {
  string: 'string',
  boolean: 'bool',
  integer: 'int64',
  number: 'float64',
  array: 'slice',
  object: 'struct',
}

function mismatch(value: unknown, schema: Schema, kind: string, path: string): string {
  const given = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  const shown = given === 'number' ? `number ${String(value)}` : given
  return `json: cannot unmarshal ${shown} into Go struct field ${kind}.${path} of type ${goTypes[schema.type ?? ''] ?? 'string'}`
}
