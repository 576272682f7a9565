/** The part of an OpenAPI v3 schema that this server works with; CRDs bring it, built-in kinds are read from type declarations. */
export interface Schema {
  $ref?: string
  type?: string
  format?: string
  description?: string
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  required?: string[]
  default?: unknown
  enum?: unknown[]
  nullable?: boolean
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set'
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-map-type'?: 'atomic' | 'granular'
  'x-kubernetes-patch-merge-key'?: string
  'x-kubernetes-patch-strategy'?: string
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[]
}

/** Finds named schemas; `$ref` is `#/components/schemas/<name>`. */
export interface SchemaSource {
  find(name: string): Schema | undefined
}

export const refPrefix = '#/components/schemas/'

/** A schema together with where its references lead. */
export interface Typed {
  readonly schema: Schema
  readonly source: SchemaSource
}

/** Follows references; an unknown one is an open object. */
export function resolve(schema: Schema | undefined, source: SchemaSource): Schema {
  let current = schema
  while (current?.$ref !== undefined) {
    const target = source.find(current.$ref.slice(refPrefix.length))
    const { $ref: _, ...own } = current
    current = target === undefined ? openSchema : { ...target, ...own }
  }
  return current ?? openSchema
}

/** The schema of a member: a declared property, else whatever additional properties may be; undefined = not allowed. */
export function memberSchema(schema: Schema, key: string): Schema | undefined {
  const declared = schema.properties !== undefined && Object.hasOwn(schema.properties, key)
  if (declared) return schema.properties?.[key]
  if (typeof schema.additionalProperties === 'object') return schema.additionalProperties
  if (schema.additionalProperties === true || isOpen(schema)) return openSchema
  return undefined
}

/** Whether members that the schema does not name are kept as they are. */
export function isOpen(schema: Schema): boolean {
  return (
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    (schema.properties === undefined && schema.additionalProperties === undefined)
  )
}

export const openSchema: Schema = { 'x-kubernetes-preserve-unknown-fields': true }

export const emptySource: SchemaSource = { find: () => undefined }
