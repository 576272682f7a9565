import { serverVersion } from '../discovery.ts'
import type { Resource } from '../resources/resource.ts'
import { builtinSchemaName } from '../schema/builtin.ts'
import { refPrefix, type Schema, type SchemaSource } from '../schema/schema.ts'
import { pathsOf } from './operations.ts'

/** The OpenAPI v3 document of one group and version, with every schema that its kinds reach. */
export function buildDocument(resources: readonly Resource[]): object {
  const schemas: Record<string, object> = {}
  let paths: Record<string, object> = {}
  for (const resource of resources) {
    const name = schemaNameOf(resource)
    const { schema, source } = resource.schema()
    const { group, version, kind } = resource
    schemas[name] = render({ ...schema, 'x-kubernetes-group-version-kind': [{ group, version, kind }] })
    collect(schema, source, schemas)
    paths = { ...paths, ...pathsOf(resource, name) }
  }
  schemas['io.k8s.apimachinery.pkg.apis.meta.v1.Patch'] = { type: 'object', description: 'A patch of an object.' }
  const info = { title: 'Twinlane lab API', version: serverVersion.gitVersion }
  return { openapi: '3.0.0', info, paths, components: { schemas } }
}

/** Custom kinds are named by their reversed group, as in Kubernetes: `com.example.v1.Widget`. */
function schemaNameOf({ isCustom, group, version, kind }: Resource): string {
  return isCustom ? [...group.split('.').reverse(), version, kind].join('.') : builtinSchemaName(group, version, kind)
}

function collect(schema: Schema, source: SchemaSource, into: Record<string, object>): void {
  for (const name of namesIn(schema)) {
    if (Object.hasOwn(into, name)) continue
    const found = source.find(name)
    into[name] = found === undefined ? { type: 'object' } : render(found)
    if (found !== undefined) collect(found, source, into)
  }
}

function namesIn(schema: Schema): string[] {
  const { $ref, properties = {}, items, additionalProperties } = schema
  return [
    ...($ref === undefined ? [] : [$ref.slice(refPrefix.length)]),
    ...Object.values(properties).flatMap(namesIn),
    ...(items === undefined ? [] : namesIn(items)),
    ...(typeof additionalProperties === 'object' ? namesIn(additionalProperties) : []),
  ]
}

/** OpenAPI 3.0 allows nothing beside `$ref`, so a described reference is wrapped in `allOf`. */
function render(schema: Schema): object {
  const { $ref, properties, items, additionalProperties, ...own } = schema
  const described = Object.keys(own).length > 0
  const reference = $ref === undefined ? {} : described ? { allOf: [{ $ref }] } : { $ref }
  return {
    ...own,
    ...reference,
    ...(own['x-kubernetes-int-or-string'] === true && own.type === undefined ? intOrString : {}),
    ...(properties === undefined ? {} : { properties: mapValues(properties, render) }),
    ...(items === undefined ? {} : { items: render(items) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: render(additionalProperties) } : {}),
    ...(additionalProperties === true ? { additionalProperties: {} } : {}),
  }
}

const intOrString = { oneOf: [{ type: 'integer' }, { type: 'string' }] }

function mapValues<T, R>(object: Record<string, T>, change: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]))
}
