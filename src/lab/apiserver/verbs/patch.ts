import type { Answer, Api, ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { clone, isObject, type JsonObject } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { applyJsonPatch } from '../patch/json.ts'
import { trackUpdate } from '../patch/managed-fields.ts'
import { applyMergePatch } from '../patch/merge.ts'
import { applyStrategicPatch } from '../patch/strategic.ts'
import { badRequest, unsupportedMediaType } from '../status.ts'
import { apply } from './apply.ts'
import { decodePatched } from './decode.ts'
import { type WriteOptions, writeOptionsOf } from './options.ts'
import { getObject, updateObject } from './write.ts'

const accepted = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]

/** PATCH in one of its four forms. Throws 415 on any other, and on a strategic one for custom kinds. */
export function patch(api: Api, request: ResourceRequest, name: string, body: Body): Answer {
  const type = request.contentType.split(';')[0]?.trim()
  if (type === 'application/apply-patch+yaml') return apply(api, request, name, body)
  const options = writeOptionsOf(request)
  const before = getObject(api, request, name)
  const patched = applyByType(request, type, before, body.value)
  if (!isObject(patched)) throw badRequest('the patch leaves no object')
  return store(api, request, options, before, clone(patched))
}

function store(
  api: Api,
  request: ResourceRequest,
  options: WriteOptions,
  before: ApiObject,
  patched: JsonObject,
): Answer {
  const { object, warnings } = decodePatched(request, patched, options.fieldValidation)
  const write = { request, isDryRun: options.isDryRun, track: trackUpdate(request, options) }
  return { code: 200, body: updateObject(api, write, before, object), warnings }
}

function applyByType(request: ResourceRequest, type: string | undefined, before: ApiObject, value: unknown): unknown {
  switch (type) {
    case 'application/json-patch+json':
      return applyJsonPatch(before, value)
    case 'application/merge-patch+json':
      if (!isObject(value)) throw badRequest('error decoding patch: a merge patch is an object')
      return applyMergePatch(before, value)
    case 'application/strategic-merge-patch+json':
      if (request.resource.isCustom) throw refusal(request)
      if (!isObject(value)) throw badRequest('error decoding patch: a strategic merge patch is an object')
      return applyStrategicPatch(before, value, request.resource.schema())
    default:
      throw refusal(request)
  }
}

function refusal(request: ResourceRequest): Error {
  const types = request.resource.isCustom ? accepted.filter((type) => !type.includes('strategic')) : accepted
  return unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`,
  )
}
