import { askWebhooks, type Change, webhooksFor } from '../admission/webhook-review.ts'
import type { Answer, Api, ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { at, clone, isObject, listAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { storeKey } from '../resources/resource.ts'
import { select, selectionOf } from '../selectors/selection.ts'

type WriteVerb = (api: Api, request: ResourceRequest, body: Body) => Answer

/**
 * A write after the webhooks were asked. A write is synchronous and a webhook is not: the write is rehearsed as a dry run,
 * the outcome judged, and judged again when the object changed meanwhile. Without webhooks it is the write alone.
 */
export async function reviewedWrite(api: Api, request: ResourceRequest, body: Body, write: WriteVerb): Promise<Answer> {
  if (!isReviewed(request) || webhooksFor(api, request).length === 0) return write(api, request, body)
  for (;;) {
    const changes = rehearse(api, request, body, write)
    const warnings = (await Promise.all(changes.map((change) => askWebhooks(api, request, change)))).flat()
    if (changes.some(({ before, after }) => storedAs(api, request, after ?? before) !== before)) continue
    const answer = write(api, request, body)
    return { ...answer, warnings: [...(answer.warnings ?? []), ...warnings] }
  }
}

/** Writes of stored objects; bindings, evictions and reviews are none. */
function isReviewed({ resource, subresource }: ResourceRequest): boolean {
  return resource.verbs.length > 1 && (subresource === undefined || subresource === 'status')
}

function rehearse(api: Api, request: ResourceRequest, body: Body, write: WriteVerb): Change[] {
  const isDryRun = asksDryRun(request, body)
  if (request.method === 'DELETE') {
    return doomed(api, request).map((before) => ({ operation: 'DELETE', before, after: undefined, isDryRun }))
  }
  const query = new URLSearchParams(request.query)
  query.set('dryRun', 'All')
  const copy = { ...body, value: clone(body.value) }
  const after = write(api, { ...request, query }, copy).body as ApiObject
  const before = storedAs(api, request, after)
  return [{ operation: before === undefined ? 'CREATE' : 'UPDATE', before, after, isDryRun }]
}

function asksDryRun({ query }: ResourceRequest, { value }: Body): boolean {
  return query.getAll('dryRun').includes('All') || (isObject(value) && listAt(value, 'dryRun').includes('All'))
}

function doomed(api: Api, request: ResourceRequest): ApiObject[] {
  const { resource, name } = request
  if (name === undefined) {
    const selection = selectionOf(request)
    return select(api.store.list(resource.collection, selection.prefix), selection).map(({ object }) => object)
  }
  const stored = api.store.get(resource.collection, storeKey(resource, name, request.namespace))
  return stored === undefined ? [] : [stored.object]
}

function storedAs(
  api: Api,
  { resource, namespace }: ResourceRequest,
  object: ApiObject | undefined,
): ApiObject | undefined {
  const name = textAt(at(object, 'metadata'), 'name') ?? ''
  return api.store.get(resource.collection, storeKey(resource, name, namespace))?.object
}
