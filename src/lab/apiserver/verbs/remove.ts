import { cleanupFinalizer } from '../admission/custom-resource-definition.ts'
import type { Api } from '../api.ts'
import { textAt } from '../json.ts'
import { type ApiObject, draftOf, timestamp } from '../object.ts'
import { type Resource, storeKey } from '../resources/resource.ts'
import { crdCollection } from '../resources/resources.ts'

export interface RemoveOptions {
  /** As the caller asked; undefined = the kind's own. */
  readonly graceSeconds: number | undefined
}

/**
 * Deletes an object as far as that goes now: at once, or only marked with a deletionTimestamp while finalizers, a grace
 * period or contents keep it. Returns its last state, and whether it is gone.
 */
export function removeObject(
  api: Api,
  resource: Resource,
  object: ApiObject,
  options: RemoveOptions,
): { object: ApiObject; isGone: boolean } {
  const grace = resource.rules.graceSeconds?.(object, options.graceSeconds) ?? 0
  const marked = mark(api, resource, object, grace)
  for (const [kind, content] of contentsOf(api, resource, marked)) {
    removeObject(api, kind, content, { graceSeconds: options.graceSeconds })
  }
  const last = removeIfDone(api, resource, marked)
  return { object: last, isGone: find(api, resource, last) === undefined }
}

export function isTerminating(object: ApiObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** Removes a marked object that nothing keeps any more; returns its last state. */
export function removeIfDone(api: Api, resource: Resource, object: ApiObject): ApiObject {
  if (!isTerminating(object) || isKept(api, resource, object)) return object
  const removed = api.store.remove(resource.collection, keyOf(resource, object))
  finishParent(api, resource, object)
  return removed?.object ?? object
}

/** Carries on with deletions that a crash interrupted. */
export function resumeRemovals(api: Api): void {
  for (const collection of [crdCollection, '/namespaces']) {
    for (const { object } of api.store.list(collection)) {
      if (isTerminating(object)) removeContainer(api, collection, object)
    }
  }
}

function removeContainer(api: Api, collection: string, object: ApiObject): void {
  const resource = api.resources.collections().find((one) => one.collection === collection)
  if (resource !== undefined) removeObject(api, resource, object, { graceSeconds: undefined })
}

function isKept(api: Api, resource: Resource, object: ApiObject): boolean {
  const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== cleanupFinalizer)
  const grace = object.metadata.deletionGracePeriodSeconds ?? 0
  return finalizers.length > 0 || grace > 0 || contentsOf(api, resource, object).length > 0
}

function mark(api: Api, resource: Resource, object: ApiObject, graceSeconds: number): ApiObject {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata
  if (deletionTimestamp !== undefined && graceSeconds >= deletionGracePeriodSeconds) return object
  const draft = draftOf(object)
  draft.metadata.deletionTimestamp = timestamp(new Date(Date.now() + graceSeconds * 1000))
  draft.metadata.deletionGracePeriodSeconds = graceSeconds
  if (resource.collection === '/namespaces') draft.status = { phase: 'Terminating' }
  if (!isKept(api, resource, draft)) return draft
  return api.store.put(resource.collection, keyOf(resource, object), draft).object
}

/** What goes with an object: everything in a namespace, every object of a custom kind. */
function contentsOf(api: Api, resource: Resource, object: ApiObject): [Resource, ApiObject][] {
  if (resource.collection === crdCollection) return contentsOfKind(api, object)
  if (resource.collection !== '/namespaces') return []
  const kinds = api.resources.collections().filter((kind) => kind.isNamespaced)
  return kinds.flatMap((kind) => listAll(api, kind, `${object.metadata.name}/`))
}

function contentsOfKind(api: Api, crd: ApiObject): [Resource, ApiObject][] {
  const collection = `${textAt(crd, 'spec', 'group')}/${textAt(crd, 'spec', 'names', 'plural')}`
  const kind = api.resources.collections().find((one) => one.collection === collection)
  return kind === undefined ? [] : listAll(api, kind, '')
}

function listAll(api: Api, kind: Resource, prefix: string): [Resource, ApiObject][] {
  return api.store.list(kind.collection, prefix).map((stored) => [kind, stored.object])
}

/** The last object to go takes a namespace or definition that only waited for it along. */
function finishParent(api: Api, resource: Resource, object: ApiObject): void {
  const namespace = api.store.get('/namespaces', object.metadata.namespace ?? '')?.object
  const crd = api.store.get(crdCollection, `${resource.plural}.${resource.group}`)?.object
  for (const [collection, parent] of [
    ['/namespaces', namespace],
    [crdCollection, crd],
  ] as const) {
    if (parent === undefined || !isTerminating(parent)) continue
    const kind = api.resources.collections().find((one) => one.collection === collection)
    if (kind !== undefined) removeIfDone(api, kind, parent)
  }
}

function find(api: Api, resource: Resource, object: ApiObject): ApiObject | undefined {
  return api.store.get(resource.collection, keyOf(resource, object))?.object
}

function keyOf(resource: Resource, object: ApiObject): string {
  return storeKey(resource, object.metadata.name, object.metadata.namespace)
}
