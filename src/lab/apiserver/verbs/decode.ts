import type { ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { objectBody } from '../http/body.ts'
import type { JsonObject } from '../json.ts'
import { type ApiObject, asApiObject } from '../object.ts'
import { groupVersionOf } from '../resources/resource.ts'
import { findDuplicateKeys } from '../schema/duplicate-keys.ts'
import { type FieldFaults, pruneFields } from '../schema/fields.ts'
import { badRequest } from '../status.ts'
import type { FieldValidation } from './options.ts'

/** An object that fits the shape of its kind, and what to warn about. */
export interface Decoded {
  readonly object: ApiObject
  readonly warnings: readonly string[]
}

/**
 * Checks the body against the request and the kind's shape: kind, version, name and namespace; unknown fields are
 * dropped, and refused (400) or warned about as `fieldValidation` says.
 */
export function decodeObject(request: ResourceRequest, body: Body, validation: FieldValidation): Decoded {
  const value = objectBody(body)
  const duplicates = validation === 'Ignore' || body.json === undefined ? [] : findDuplicateKeys(body.json)
  checkKind(request, value)
  const faults = pruneFields(value, request.resource.schema(), request.resource.kind)
  const object = asApiObject(value)
  checkPlace(request, object)
  return { object, warnings: judge(request, { ...faults, duplicates }, validation) }
}

/** Like decodeObject, for an object that a patch has produced: a patch that adds unknown fields is refused the same way. */
export function decodePatched(request: ResourceRequest, value: JsonObject, validation: FieldValidation): Decoded {
  checkKind(request, value)
  const faults = pruneFields(value, request.resource.schema(), request.resource.kind)
  return { object: asApiObject(value), warnings: judge(request, { ...faults, duplicates: [] }, validation) }
}

function checkKind(request: ResourceRequest, value: JsonObject): void {
  const { kind } = request.resource
  const apiVersion = groupVersionOf(request.resource)
  value.apiVersion ??= apiVersion
  value.kind ??= kind
  if (value.kind !== kind) {
    throw badRequest(`${kind} in version "${request.resource.version}" cannot be handled as a ${String(value.kind)}`)
  }
  if (value.apiVersion !== apiVersion) {
    const given = String(value.apiVersion)
    throw badRequest(`the API version in the data (${given}) does not match the expected API version (${apiVersion})`)
  }
}

function checkPlace(request: ResourceRequest, { metadata }: ApiObject): void {
  if (!request.resource.isNamespaced) delete metadata.namespace
  else if (metadata.namespace === undefined || metadata.namespace === '') metadata.namespace = request.namespace ?? ''
  else if (metadata.namespace !== request.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  if (request.name === undefined) return
  metadata.name ??= request.name
  if (metadata.name !== request.name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${request.name})`)
  }
}

function judge(
  { resource }: ResourceRequest,
  faults: FieldFaults & { duplicates: string[] },
  validation: FieldValidation,
): string[] {
  const head = `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}`
  const [mismatch] = faults.mismatched
  if (mismatch !== undefined && !resource.isCustom) throw badRequest(`${head}: ${mismatch}`)
  if (validation === 'Ignore') return []
  const problems = [
    ...faults.unknown.map((path) => `unknown field "${path}"`),
    ...faults.duplicates.map((path) => `duplicate field "${path}"`),
  ]
  if (validation === 'Strict' && problems.length > 0) {
    throw badRequest(`${head}: strict decoding error: ${problems.join(', ')}`)
  }
  return problems
}
