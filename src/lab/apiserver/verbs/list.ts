import type { Api, ResourceRequest } from '../api.ts'
import { presenterFor } from '../http/present.ts'
import { select, selectionOf } from '../selectors/selection.ts'
import { badRequest, expired, StatusError } from '../status.ts'
import type { Stored } from '../storage/history.ts'

/** Where a list that was cut by `limit` goes on. */
interface Continuation {
  revision: number
  /** Index of the last key that was sent, as text. */
  after: string
}

/** A collection as JSON text in the form asked for. */
export async function listObjects(api: Api, request: ResourceRequest): Promise<string> {
  const token = readContinuation(request.query.get('continue'))
  checkRevision(api, request, token)
  const selection = selectionOf(request)
  const revision = token?.revision ?? api.store.revision
  const found = select(api.store.list(request.resource.collection, selection.prefix), selection)
  const rest = token === undefined ? found : found.filter((item) => keyOf(item) > token.after)
  const page = cut(rest, Number(request.query.get('limit') ?? 0))
  const metadata = { resourceVersion: String(revision), ...moreOf(rest, page, revision) }
  const text = presenterFor(request).list(page, metadata)
  await api.store.durable()
  return text
}

function cut(items: Stored[], limit: number): Stored[] {
  return limit > 0 ? items.slice(0, limit) : items
}

function moreOf(rest: Stored[], page: Stored[], revision: number): object {
  const last = page.at(-1)
  if (last === undefined || page.length === rest.length) return {}
  const token = JSON.stringify({ revision, after: keyOf(last) } satisfies Continuation)
  return { continue: Buffer.from(token).toString('base64url'), remainingItemCount: rest.length - page.length }
}

function readContinuation(text: string | null): Continuation | undefined {
  if (text === null || text === '') return undefined
  try {
    const { revision, after } = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Continuation
    if (typeof revision === 'number' && typeof after === 'string') return { revision, after }
  } catch {
    // Reported below.
  }
  throw badRequest('continue key is not valid')
}

/** Only the present can be listed: an exact older version is gone, and a newer one has not happened. */
function checkRevision(api: Api, { query }: ResourceRequest, token: Continuation | undefined): void {
  if (token !== undefined && api.store.changesAfter(token.revision, '') === undefined) {
    throw expired('The provided continue parameter is too old to display a consistent list result.')
  }
  const asked = Number(query.get('resourceVersion') ?? 0)
  if (Number.isNaN(asked)) throw badRequest(`invalid resourceVersion "${query.get('resourceVersion')}"`)
  if (asked > api.store.revision) {
    const message = `Too large resource version: ${asked}, current: ${api.store.revision}`
    throw new StatusError(504, 'Timeout', message, {
      causes: [{ reason: 'ResourceVersionTooLarge', message, field: '' }],
    })
  }
  if (query.get('resourceVersionMatch') === 'Exact' && asked !== api.store.revision && asked !== 0) {
    throw expired(`The resourceVersion for the provided list is too old: ${asked}`)
  }
}

function keyOf({ object }: Stored): string {
  const { namespace, name } = object.metadata
  return namespace === undefined ? name : `${namespace}/${name}`
}
