import type { Answer, Api, ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { clone, type JsonObject, objectAt } from '../json.ts'
import { type ApiObject, asApiObject } from '../object.ts'
import { applyConfiguration } from '../patch/apply.ts'
import { storeKey } from '../resources/resource.ts'
import { badRequest, conflict, notFound, StatusError } from '../status.ts'
import { decodeObject } from './decode.ts'
import { writeOptionsOf } from './options.ts'
import { createObject, updateObject } from './write.ts'

/** PATCH of type apply: creates (201) or changes (200) the object so that it has what the configuration says. */
export function apply(api: Api, request: ResourceRequest, name: string, body: Body): Answer {
  const fieldManager = requiredManager(request)
  const options = writeOptionsOf(request)
  const { object: config, warnings } = decodeObject(request, body, options.fieldValidation)
  if (config.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil')
  limitToEndpoint(request, config)
  const { resource, namespace, query } = request
  const live = api.store.get(resource.collection, storeKey(resource, name, namespace))?.object
  checkExists(request, name, live, config)
  const force = query.get('force') === 'true'
  const applied = applyConfiguration(request, live, config as unknown as JsonObject, { fieldManager, force })
  const object = asApiObject(clone(applied.object))
  const write = { request, isDryRun: options.isDryRun, track: () => applied.managedFields }
  if (live === undefined) return { code: 201, body: createObject(api, write, object), warnings }
  return { code: 200, body: updateObject(api, write, live, object), warnings }
}

function requiredManager({ query }: ResourceRequest): string {
  const fieldManager = query.get('fieldManager') ?? ''
  if (fieldManager !== '') return fieldManager
  const cause = {
    reason: 'FieldValueRequired',
    message: 'Required value: is required for apply patch',
    field: 'fieldManager',
  }
  const message = `PatchOptions.meta.k8s.io "" is invalid: ${cause.field}: ${cause.message}`
  throw new StatusError(422, 'Invalid', message, { group: 'meta.k8s.io', kind: 'PatchOptions', causes: [cause] })
}

/** Only one of status and the rest is written through each of the two endpoints. */
function limitToEndpoint({ resource, subresource }: ResourceRequest, config: ApiObject): void {
  if (subresource === undefined) {
    if (resource.hasStatus && resource.collection !== '/nodes') delete config.status
    return
  }
  for (const key of Object.keys(config)) {
    if (!['apiVersion', 'kind', 'metadata', 'status'].includes(key)) delete config[key]
  }
  for (const key of Object.keys(objectAt(config, 'metadata'))) {
    if (key !== 'name' && key !== 'namespace') delete objectAt(config, 'metadata')[key]
  }
}

function checkExists(request: ResourceRequest, name: string, live: ApiObject | undefined, config: ApiObject): void {
  if (live !== undefined) return
  if (request.subresource !== undefined) throw notFound(request.resource, name)
  const { uid, resourceVersion } = config.metadata
  if ((uid ?? resourceVersion ?? '') === '') return
  throw conflict(request.resource, name, 'uid or resourceVersion is set, but the object does not exist')
}
