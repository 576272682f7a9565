import type { Answer, Api, ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { at, isObject, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { groupVersionOf } from '../resources/resource.ts'
import { select, selectionOf } from '../selectors/selection.ts'
import { conflict } from '../status.ts'
import { removeObject } from './remove.ts'
import { getObject } from './write.ts'

interface DeleteOptions {
  readonly graceSeconds: number | undefined
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
  readonly isDryRun: boolean
}

/** DELETE of one object. Throws 404, and 409 when a precondition does not hold. */
export function deleteOne(api: Api, request: ResourceRequest, name: string, body: Body): Answer {
  const options = deleteOptionsOf(request, body)
  const object = getObject(api, request, name)
  checkPreconditions(request, object, options)
  if (options.isDryRun) return gone(request, object)
  const removed = removeObject(api, request.resource, object, options)
  return removed.isGone ? gone(request, removed.object) : { code: 200, body: removed.object }
}

/** DELETE of a collection, narrowed by selectors. */
export function deleteMany(api: Api, request: ResourceRequest, body: Body): Answer {
  const options = deleteOptionsOf(request, body)
  const selection = selectionOf(request)
  const found = select(api.store.list(request.resource.collection, selection.prefix), selection)
  const items = found.map(({ object }) =>
    options.isDryRun ? object : removeObject(api, request.resource, object, options).object,
  )
  const { listKind } = request.resource
  const metadata = { resourceVersion: String(api.store.revision) }
  return { code: 200, body: { kind: listKind, apiVersion: groupVersionOf(request.resource), metadata, items } }
}

function deleteOptionsOf({ query }: ResourceRequest, body: Body): DeleteOptions {
  const value = isObject(body.value) ? body.value : {}
  const asked = at(value, 'gracePeriodSeconds') ?? query.get('gracePeriodSeconds') ?? undefined
  const dryRun = [...query.getAll('dryRun'), ...(Array.isArray(value.dryRun) ? value.dryRun : [])]
  return {
    graceSeconds: asked === undefined ? undefined : Number(asked),
    uid: textAt(value, 'preconditions', 'uid'),
    resourceVersion: textAt(value, 'preconditions', 'resourceVersion'),
    isDryRun: dryRun.includes('All'),
  }
}

function checkPreconditions({ resource }: ResourceRequest, object: ApiObject, options: DeleteOptions): void {
  const { name, uid, resourceVersion } = object.metadata
  if (options.uid !== undefined && options.uid !== uid) {
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`,
    )
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const versions = `ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`
    throw conflict(resource, name, `Precondition failed: ${versions}`)
  }
}

function gone({ resource }: ResourceRequest, { metadata }: ApiObject): Answer {
  const { name, uid } = metadata
  const group = resource.group === '' ? {} : { group: resource.group }
  const details = { name, ...group, kind: resource.plural, uid }
  return { code: 200, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details } }
}
