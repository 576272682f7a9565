import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, posix } from 'node:path'
import { type Declarations, parseDeclarations } from './declarations.ts'
import { withMergeRules } from './list-keys.ts'
import { refPrefix, type Schema, type SchemaSource } from './schema.ts'

/** Where the type declarations of a group lie in the package, and how Kubernetes' OpenAPI names its types. */
const modules: Record<string, string> = {
  'core/v1': 'io.k8s.api.core.v1',
  'discovery/v1': 'io.k8s.api.discovery.v1',
  'coordination/v1': 'io.k8s.api.coordination.v1',
  'authentication/v1': 'io.k8s.api.authentication.v1',
  'authorization/v1': 'io.k8s.api.authorization.v1',
  'admissionregistration/v1': 'io.k8s.api.admissionregistration.v1',
  'apiextensions/v1': 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
  'meta/v1': 'io.k8s.apimachinery.pkg.apis.meta.v1',
  'api/resource': 'io.k8s.apimachinery.pkg.api.resource',
  runtime: 'io.k8s.apimachinery.pkg.runtime',
}

const moduleOfPrefix = new Map(Object.entries(modules).map(([module, prefix]) => [prefix, module]))

/** What the type declarations cannot say. */
const corrections: Record<string, Schema> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': { type: 'string', format: 'date-time' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': { type: 'string', format: 'date-time' },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { 'x-kubernetes-int-or-string': true },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': { 'x-kubernetes-preserve-unknown-fields': true },
}

/** JSONSchemaProps' extension fields, which the declarations leave out because of their dashes. */
const extensionFields: Record<string, Schema> = {
  'x-kubernetes-preserve-unknown-fields': { type: 'boolean' },
  'x-kubernetes-embedded-resource': { type: 'boolean' },
  'x-kubernetes-int-or-string': { type: 'boolean' },
  'x-kubernetes-list-map-keys': { type: 'array', items: { type: 'string' } },
  'x-kubernetes-list-type': { type: 'string' },
  'x-kubernetes-map-type': { type: 'string' },
  'x-kubernetes-validations': { type: 'array', items: { 'x-kubernetes-preserve-unknown-fields': true } },
}

/** The part of a webhook's rule that Go embeds from another type; the declarations have only the rest. */
const ruleFields: Record<string, Schema> = {
  resources: { type: 'array', items: { type: 'string' } },
  scope: { type: 'string' },
}

/** What the declarations leave out, by type. */
const leftOutFields: Record<string, Record<string, Schema>> = {
  JSONSchemaProps: extensionFields,
  RuleWithOperations: ruleFields,
}

function withLeftOut(type: string, schema: Schema): Schema {
  const fields = leftOutFields[type]
  return fields === undefined ? schema : { ...schema, properties: { ...fields, ...schema.properties } }
}

/**
 * Schemas of the built-in kinds, read from the type declarations of the npm package kubernetes-types when first asked
 * for, a file at a time.
 */
export class BuiltinSchemas implements SchemaSource {
  readonly #folder: string
  readonly #files = new Map<string, Declarations>()
  readonly #schemas = new Map<string, Schema>()

  constructor(folder = packageFolder()) {
    this.#folder = folder
  }

  /** The schema of e.g. `io.k8s.api.core.v1.Pod`. */
  find(name: string): Schema | undefined {
    const known = this.#schemas.get(name)
    if (known !== undefined) return known
    const dot = name.lastIndexOf('.')
    const module = moduleOfPrefix.get(name.slice(0, dot))
    if (module === undefined) return undefined
    const declared = this.#declarations(module).types.get(name.slice(dot + 1))
    if (declared === undefined) return undefined
    const schema = this.#build(name, module, declared)
    this.#schemas.set(name, schema)
    return schema
  }

  #build(name: string, module: string, bare: Schema): Schema {
    const type = name.slice(name.lastIndexOf('.') + 1)
    const declared = withLeftOut(type, bare)
    const correction = corrections[name]
    if (correction !== undefined) {
      return { ...(declared.description === undefined ? {} : { description: declared.description }), ...correction }
    }
    const ruled = withMergeRules(type, declared)
    return this.#qualify(ruled, module)
  }

  /** Makes bare references full: `ObjectMeta` to `#/components/schemas/io.k8s.….ObjectMeta`. */
  #qualify(schema: Schema, module: string): Schema {
    const result = { ...schema }
    if (schema.$ref !== undefined) result.$ref = refPrefix + this.#qualifiedName(schema.$ref, module)
    if (schema.items !== undefined) result.items = this.#qualify(schema.items, module)
    if (typeof schema.additionalProperties === 'object') {
      result.additionalProperties = this.#qualify(schema.additionalProperties, module)
    }
    if (schema.properties !== undefined) {
      result.properties = Object.fromEntries(
        Object.entries(schema.properties).map(([key, value]) => [key, this.#qualify(value, module)]),
      )
    }
    return result
  }

  #qualifiedName(name: string, module: string): string {
    const imported = this.#declarations(module).imports.get(name)
    const home = imported === undefined ? module : posix.join(posix.dirname(module), imported)
    return `${modules[home] ?? home}.${name}`
  }

  #declarations(module: string): Declarations {
    const known = this.#files.get(module)
    if (known !== undefined) return known
    const parsed = parseDeclarations(readFileSync(join(this.#folder, `${module}.d.ts`), 'utf8'))
    this.#files.set(module, parsed)
    return parsed
  }
}

/** `schemaNameOf('', 'v1', 'Pod')` is `io.k8s.api.core.v1.Pod`. */
export function builtinSchemaName(group: string, version: string, kind: string): string {
  const first = group === '' ? 'core' : (group.split('.')[0] as string)
  return `${modules[`${first}/${version}`]}.${kind}`
}

/** Works from the sources and from the bundled dist/ alike: both lie below the folder that holds node_modules. */
function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('kubernetes-types/package.json'))
}

/** One for the process: what it has read never changes. */
export const schemas = new BuiltinSchemas()
