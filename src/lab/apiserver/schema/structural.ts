import { clone, isObject, type JsonObject, objectAt, setKey } from '../json.ts'
import { schemas } from './builtin.ts'
import { memberSchema, openSchema, refPrefix, resolve, type Schema, type Typed } from './schema.ts'

const textSchema = { type: 'string' }

/**
 * The schema of a whole custom object from one version of its CustomResourceDefinition: the declared one, with the
 * fields that every object has.
 */
export function objectSchemaOf(version: JsonObject, own: { group: string; version: string; kind: string }): Typed {
  const declared = objectAt(version, 'schema', 'openAPIV3Schema') as Schema
  const common = {
    apiVersion: { ...textSchema, description: 'Version of the schema that this representation follows.' },
    kind: { ...textSchema, description: 'The kind of this object.' },
    metadata: { $ref: `${refPrefix}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta` },
  }
  const schema = {
    ...declared,
    type: 'object',
    properties: { ...declared.properties, ...common },
    'x-kubernetes-group-version-kind': [own],
  }
  return { schema, source: schemas }
}

/** Writes the schema's defaults, in place, where members are absent, or null without being nullable. */
export function applyDefaults(value: unknown, typed: Typed): void {
  const schema = resolve(typed.schema, typed.source)
  if (Array.isArray(value)) {
    if (schema.items === undefined) return
    for (const item of value) applyDefaults(item, { ...typed, schema: schema.items })
  } else if (isObject(value)) defaultMembers(value, schema, typed)
}

function defaultMembers(value: JsonObject, schema: Schema, typed: Typed): void {
  for (const [key, member] of Object.entries(schema.properties ?? {})) {
    const isAbsent = !Object.hasOwn(value, key) || (value[key] === null && member.nullable !== true)
    if (isAbsent && member.default !== undefined) setKey(value, key, clone(member.default))
  }
  for (const [key, item] of Object.entries(value)) {
    const member = memberSchema(schema, key) ?? openSchema
    if (member.$ref === undefined) applyDefaults(item, { ...typed, schema: member })
  }
}
