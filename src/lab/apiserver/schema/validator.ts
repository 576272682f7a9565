import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import { isObject, type JsonObject } from '../json.ts'
import { type Cause, invalidValue, notSupported, required } from '../status.ts'
import type { Schema } from './schema.ts'

/** Every fault of a value against an OpenAPI v3 schema, worded as the Kubernetes API words it. */
export type Validator = (value: unknown) => Cause[]

/** Compiled when first used. */
export function createValidator(schema: Schema): Validator {
  let compiled: ValidateFunction | undefined
  return (value) => {
    compiled ??= compile(schema)
    if (compiled(value)) return []
    return dropEchoes((compiled.errors ?? []).map((error) => causeOf(error, value)))
  }
}

/** Why a schema cannot be used, such as a pattern that is no regular expression; undefined when it can. */
export function findSchemaFault(schema: Schema): string | undefined {
  try {
    compile(schema)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** By the text of the schema: a definition that changes only in its status is not compiled again. */
const compiledSchemas = new Map<string, ValidateFunction>()
const maxCompiledSchemas = 500
let sharedAjv: Ajv | undefined

function compile(schema: Schema): ValidateFunction {
  const jsonSchema = toJsonSchema(schema as JsonObject)
  const key = JSON.stringify(jsonSchema)
  const known = compiledSchemas.get(key)
  if (known !== undefined) return known
  sharedAjv ??= createAjv()
  const compiled = sharedAjv.compile(jsonSchema)
  if (compiledSchemas.size >= maxCompiledSchemas) forgetSchemas()
  compiledSchemas.set(key, compiled)
  return compiled
}

function createAjv(): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: true, logger: false, validateFormats: true })
  ajvFormats.default(ajv)
  return ajv
}

function forgetSchemas(): void {
  compiledSchemas.clear()
  sharedAjv = undefined
}

const schemaLists = ['allOf', 'anyOf', 'oneOf']
const schemaMaps = ['properties', 'patternProperties']

/** OpenAPI v3.0's dialect, as CRDs write it, in the JSON Schema that ajv takes. References and extensions go. */
function toJsonSchema(schema: JsonObject): JsonObject {
  const result: JsonObject = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith('x-') || key === '$ref' || key === 'default' || key === 'description') continue
    result[key] = convert(key, value)
  }
  if (schema['x-kubernetes-int-or-string'] === true) result.type = ['integer', 'string']
  if (schema.nullable === true && typeof result.type === 'string') result.type = [result.type, 'null']
  delete result.nullable
  moveBound(result, 'exclusiveMinimum', 'minimum')
  moveBound(result, 'exclusiveMaximum', 'maximum')
  return result
}

function convert(key: string, value: unknown): unknown {
  if (schemaLists.includes(key) && Array.isArray(value)) return value.map((item) => toJsonSchema(item as JsonObject))
  if (schemaMaps.includes(key) && isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toJsonSchema(item as JsonObject)]))
  }
  return ['items', 'not', 'additionalProperties'].includes(key) && isObject(value) ? toJsonSchema(value) : value
}

/** `exclusiveMinimum: true` beside `minimum: 3` becomes `exclusiveMinimum: 3`. */
function moveBound(schema: JsonObject, exclusive: string, bound: string): void {
  if (typeof schema[exclusive] !== 'boolean') return
  if (schema[exclusive] === true) {
    schema[exclusive] = schema[bound]
    delete schema[bound]
  } else delete schema[exclusive]
}

function causeOf(error: ErrorObject, root: unknown): Cause {
  const { field, value } = locate(error.instancePath, root)
  const limit = (error.params as { limit?: unknown }).limit
  switch (error.keyword) {
    case 'required':
      return required(join(field, (error.params as { missingProperty: string }).missingProperty))
    case 'type':
      return invalidType(field, value, String((error.params as { type: unknown }).type))
    case 'enum':
      return notSupported(field, value, (error.params as { allowedValues: string[] }).allowedValues)
    case 'pattern':
      return body(field, value, `should match '${(error.params as { pattern: string }).pattern}'`)
    case 'minimum':
      return body(field, value, `should be greater than or equal to ${String(limit)}`)
    case 'maximum':
      return body(field, value, `should be less than or equal to ${String(limit)}`)
    case 'minLength':
      return body(field, value, `should be at least ${String(limit)} chars long`)
    case 'maxItems':
      return body(field, value, `must have at most ${String(limit)} items`)
    case 'minItems':
      return body(field, value, `should have at least ${String(limit)} items`)
    case 'format':
      return body(field, value, `must be of type ${(error.params as { format: string }).format}`)
    default:
      return body(field, value, error.message ?? `does not satisfy ${error.keyword}`)
  }
}

function body(field: string, value: unknown, problem: string): Cause {
  return invalidValue(field, value, `${field} in body ${problem}`)
}

/** The server names the type that it found, as text, in place of the value. */
function invalidType(field: string, value: unknown, wanted: string): Cause {
  const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  const cause = invalidValue(field, found, `${field} in body must be of type ${wanted}: "${found}"`)
  return { ...cause, reason: 'FieldValueTypeInvalid' }
}

function locate(pointer: string, root: unknown): { field: string; value: unknown } {
  let field = ''
  let value = root
  for (const raw of pointer.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    field = Array.isArray(value) ? `${field}[${key}]` : join(field, key)
    value = (value as JsonObject | undefined)?.[key]
  }
  return { field, value }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

/** The same sentence twice, as alternatives in a schema produce it, is said once. */
function dropEchoes(causes: Cause[]): Cause[] {
  return [...new Map(causes.map((cause) => [`${cause.field} ${cause.message}`, cause])).values()]
}
