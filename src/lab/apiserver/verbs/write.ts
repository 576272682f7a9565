import { randomUUID } from 'node:crypto'
import { checkMetadata } from '../admission/metadata.ts'
import { randomSuffix } from '../admission/names.ts'
import type { Api, ResourceRequest } from '../api.ts'
import { isEqual } from '../json.ts'
import { type ApiObject, timestamp } from '../object.ts'
import { groupVersionOf, storeKey } from '../resources/resource.ts'
import { alreadyExists, conflict, forbidden, invalid, notFound } from '../status.ts'
import { isTerminating, removeIfDone } from './remove.ts'

/** Computes `metadata.managedFields` of the object that is about to be stored. */
export type TrackFields = (before: ApiObject | undefined, after: ApiObject) => unknown[]

export interface Write {
  readonly request: ResourceRequest
  readonly isDryRun: boolean
  readonly track: TrackFields
}

/** Admits and stores a new object. `object` is private to this call. Throws 403, 404, 409 or 422. */
export function createObject(api: Api, write: Write, object: ApiObject): ApiObject {
  const { resource, namespace } = write.request
  checkNamespace(api, write.request)
  const { metadata } = object
  if (!metadata.name && metadata.generateName) metadata.name = freeName(api, write.request, metadata.generateName)
  prepareMetadata(object)
  if (resource.hasStatus && resource.plural !== 'nodes') delete object.status
  resource.rules.setDefaults?.(object)
  resource.rules.prepareCreate?.(object, api)
  admit(api, write.request, object, undefined)
  const key = storeKey(resource, metadata.name, namespace)
  if (api.store.get(resource.collection, key) !== undefined) throw alreadyExists(resource, metadata.name)
  setManagedFields(object, write.track(undefined, object))
  return write.isDryRun ? object : api.store.put(resource.collection, key, object).object
}

/**
 * Admits and stores a changed object. `object` is private to this call; an object equal to the stored one is not
 * written. Throws 409 when its resourceVersion or uid is another one, 422 when it is invalid.
 */
export function updateObject(api: Api, write: Write, before: ApiObject, object: ApiObject): ApiObject {
  const { resource, namespace, subresource } = write.request
  checkVersion(write.request, before, object)
  carryOver(before, object)
  if (subresource === 'status') keepAllButStatus(resource.isCustom, before, object)
  else if (resource.hasStatus) keepStatus(before, object)
  resource.rules.setDefaults?.(object)
  if (subresource === undefined) resource.rules.prepareUpdate?.(object, before, api)
  bumpGeneration(before, object)
  admit(api, write.request, object, before)
  setManagedFields(object, write.track(before, object))
  if (isSame(before, object)) return before
  if (write.isDryRun) return object
  const stored = api.store.put(resource.collection, storeKey(resource, before.metadata.name, namespace), object).object
  return removeIfDone(api, resource, stored)
}

/** The stored object in the version of the request, or 404. */
export function getObject(api: Api, request: ResourceRequest, name: string): ApiObject {
  const stored = api.store.get(request.resource.collection, storeKey(request.resource, name, request.namespace))
  if (stored === undefined) throw notFound(request.resource, name)
  const apiVersion = groupVersionOf(request.resource)
  return stored.object.apiVersion === apiVersion ? stored.object : { ...stored.object, apiVersion }
}

function checkNamespace(api: Api, { resource, namespace }: ResourceRequest): void {
  if (!resource.isNamespaced || namespace === undefined) return
  const about = { group: '', plural: 'namespaces', kind: 'Namespace' }
  const found = api.store.get('/namespaces', namespace)
  if (found === undefined) throw notFound(about, namespace)
  if (isTerminating(found.object)) {
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`
    throw forbidden(resource, '', why)
  }
}

function freeName(api: Api, { resource, namespace }: ResourceRequest, prefix: string): string {
  for (;;) {
    const name = prefix.slice(0, 58) + randomSuffix()
    if (api.store.get(resource.collection, storeKey(resource, name, namespace)) === undefined) return name
  }
}

function prepareMetadata({ metadata, ...object }: ApiObject): void {
  metadata.uid = randomUUID()
  metadata.creationTimestamp = timestamp()
  delete metadata.resourceVersion
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  delete metadata.generation
  if ('spec' in object) metadata.generation = 1
}

function checkVersion({ resource }: ResourceRequest, before: ApiObject, object: ApiObject): void {
  const { name, uid, resourceVersion } = object.metadata
  if (uid !== undefined && uid !== '' && uid !== before.metadata.uid) {
    const found = `UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`
    throw conflict(resource, name, `StorageError: invalid object, Precondition failed: ${found}`)
  }
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== before.metadata.resourceVersion) {
    const why = 'the object has been modified; please apply your changes to the latest version and try again'
    throw conflict(resource, name, why)
  }
}

const ownedByServer = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'resourceVersion',
  'namespace',
  'generateName',
] as const

function carryOver(before: ApiObject, object: ApiObject): void {
  for (const field of ownedByServer) {
    if (before.metadata[field] === undefined) delete object.metadata[field]
    else Object.assign(object.metadata, { [field]: before.metadata[field] })
  }
}

/** Through /status only the status changes, and for built-in kinds labels and annotations. */
function keepAllButStatus(isCustom: boolean, before: ApiObject, object: ApiObject): void {
  const { status, metadata } = object
  for (const key of Object.keys(object)) delete object[key]
  Object.assign(object, structuredClone(before))
  if (status === undefined) delete object.status
  else object.status = status
  if (metadata.managedFields !== undefined) object.metadata.managedFields = metadata.managedFields
  if (isCustom) return
  for (const field of ['labels', 'annotations'] as const) {
    delete object.metadata[field]
    if (metadata[field] !== undefined) object.metadata[field] = metadata[field]
  }
}

function keepStatus(before: ApiObject, object: ApiObject): void {
  if (before.status === undefined) delete object.status
  else object.status = structuredClone(before.status)
}

function bumpGeneration(before: ApiObject, object: ApiObject): void {
  const { generation } = before.metadata
  if (generation === undefined || isEqual(before.spec, object.spec)) return
  object.metadata.generation = generation + 1
}

function admit(api: Api, { resource }: ResourceRequest, object: ApiObject, before: ApiObject | undefined): void {
  const causes = [...checkMetadata(resource, object), ...(resource.rules.validate?.(object, before, api) ?? [])]
  if (causes.length > 0) throw invalid(resource, object.metadata.name ?? '', causes)
}

function setManagedFields(object: ApiObject, entries: unknown[]): void {
  delete object.metadata.managedFields
  if (entries.length > 0) object.metadata.managedFields = entries
}

/** Whether nothing changed but the times in managedFields. */
function isSame(before: ApiObject, object: ApiObject): boolean {
  return isEqual(withoutTimes(before), withoutTimes(object))
}

function withoutTimes(object: ApiObject): ApiObject {
  const entries = object.metadata.managedFields?.map((entry) => ({ ...(entry as object), time: undefined }))
  return { ...object, metadata: { ...object.metadata, ...(entries === undefined ? {} : { managedFields: entries }) } }
}
