import type { Answer, Api, ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { trackUpdate } from '../patch/managed-fields.ts'
import { decodeObject } from './decode.ts'
import { writeOptionsOf } from './options.ts'
import { getObject, updateObject } from './write.ts'

/** PUT of a whole object, or of its status. */
export function update(api: Api, request: ResourceRequest, name: string, body: Body): Answer {
  const options = writeOptionsOf(request)
  const { object, warnings } = decodeObject(request, body, options.fieldValidation)
  const before = getObject(api, request, name)
  const write = { request, isDryRun: options.isDryRun, track: trackUpdate(request, options) }
  return { code: 200, body: updateObject(api, write, before, object), warnings }
}
