import type { Answer, Api, ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { trackUpdate } from '../patch/managed-fields.ts'
import { decodeObject } from './decode.ts'
import { writeOptionsOf } from './options.ts'
import { createObject } from './write.ts'

/** POST of a new object. */
export function create(api: Api, request: ResourceRequest, body: Body): Answer {
  const options = writeOptionsOf(request)
  const { object, warnings } = decodeObject(request, body, options.fieldValidation)
  const track = trackUpdate(request, options)
  const created = createObject(api, { request, isDryRun: options.isDryRun, track }, object)
  return { code: 201, body: created, warnings }
}
