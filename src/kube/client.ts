import type { KubeClient, ListOptions, Patch, WatchEvent, WatchOptions } from './api.ts'
import { isGone, KubeError, type KubeStatus, statusError, undefinedIfNotFound } from './errors.ts'
import { splitLines } from './json-lines.ts'
import type { KubeConfig } from './kubeconfig.ts'
import { collectionPath, objectPath, scopedCollectionPath, withQuery } from './path.ts'
import { apiVersionOf, type KubeObject, type ListMeta, type ResourceType } from './resources/meta.ts'
import { createTransport, type Transport, type TransportOptions } from './transport.ts'

/** One object is read in milliseconds; after this time the connection is taken for dead, and another is tried. */
const attemptTimeoutMs = 10_000

/** Objects per answer of a list: what the API server's own clients ask for. */
const pageLimit = 500

/** Servers that cannot leave the rest out may send all. */
const metadataOnly = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json'

interface Page<T> {
  items: T[]
  metadata: ListMeta
}

export type ClosableKubeClient = KubeClient & { close(): Promise<void> }

/** Speaks to an API server over HTTPS. Failures are KubeError and name the request; only what the server has not done is repeated. */
export function createKubeClient(config: KubeConfig, options: TransportOptions = {}): ClosableKubeClient {
  return createKubeClientOn(createTransport(config, options))
}

/** The same on a transport that the caller also uses for other things, such as streams. */
export function createKubeClientOn(transport: Transport): ClosableKubeClient {
  const send = <T>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T> =>
    transport.json({ method, path, body, headers }) as Promise<T>

  const client: ClosableKubeClient = {
    get: (type, name, namespace) =>
      transport.json({ method: 'GET', path: objectPath(type, name, namespace), attemptTimeoutMs }) as Promise<never>,
    find: (type, name, namespace) => undefinedIfNotFound(client.get(type, name, namespace)),
    pages: (type, options = {}) => listPages(transport, type, options),
    list: (type, options = {}) => listAll(transport, type, options),
    create: (type, object) => send('POST', scopedCollectionPath(type, object.metadata.namespace), typed(type, object)),
    update: async (type, object, { trustsObject = false } = {}) => {
      const body = typed(type, object)
      if (!trustsObject) return await send('PUT', pathOf(type, object), body)
      const path = withQuery(pathOf(type, object), { fieldValidation: 'Ignore' })
      const { metadata } = await send<Pick<typeof object, 'metadata'>>('PUT', path, body, { accept: metadataOnly })
      return { ...body, metadata }
    },
    updateStatus: (type, object) => send('PUT', `${pathOf(type, object)}/status`, typed(type, object)),
    async patch(type, name, patch, options = {}) {
      const path = objectPath(type, name, options.namespace)
      const { body, contentType, query } = patchRequest(type, patch)
      const full = options.subresource === undefined ? path : `${path}/${options.subresource}`
      return send('PATCH', withQuery(full, query), body, { 'content-type': contentType })
    },
    async delete(type, name, options = {}) {
      const { gracePeriodSeconds, preconditions } = options
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: 'Background',
        gracePeriodSeconds,
        preconditions,
      }
      const done = send('DELETE', objectPath(type, name, options.namespace), body)
      await (options.ignoreNotFound === true ? undefinedIfNotFound(done) : done)
    },
    watch: (type, options) => watchCollection(transport, type, options),
    raw: (method, path, body, headers) => send(method, path, body, headers),
    close: () => transport.close(),
  }
  return client
}

async function* listPages<T extends KubeObject>(
  transport: Transport,
  type: ResourceType<T>,
  options: ListOptions,
): AsyncIterable<Page<T>> {
  let token: string | undefined
  do {
    const page = await fetchPage(transport, type, { ...options, limit: pageLimit, continue: token })
    token = page.metadata.continue || undefined
    yield page
  } while (token !== undefined)
}

/** A list too busy to be read in pages (the continue token expired: 410) is read once more in one piece. */
async function listAll<T extends KubeObject>(
  transport: Transport,
  type: ResourceType<T>,
  options: ListOptions,
): Promise<Page<T>> {
  try {
    return await collect(listPages(transport, type, options))
  } catch (error) {
    if (!isGone(error)) throw error
    return fetchPage(transport, type, options)
  }
}

async function fetchPage<T extends KubeObject>(
  transport: Transport,
  type: ResourceType<T>,
  options: ListOptions & { limit?: number; continue?: string | undefined },
): Promise<Page<T>> {
  // Callers pass options of their own along: only what the API knows goes into the query.
  const { namespace, labelSelector, fieldSelector, limit } = options
  const query = { labelSelector, fieldSelector, limit, continue: options.continue }
  const page = (await transport.json({
    method: 'GET',
    path: withQuery(collectionPath(type, namespace), query),
  })) as Page<T>
  return { metadata: page.metadata ?? {}, items: (page.items ?? []).map((item) => typed(type, item)) }
}

async function collect<T>(pages: AsyncIterable<Page<T>>): Promise<Page<T>> {
  const all: Page<T> = { items: [], metadata: {} }
  for await (const page of pages) {
    for (const item of page.items) all.items.push(item)
    all.metadata = page.metadata
  }
  return all
}

async function* watchCollection<T extends KubeObject>(
  transport: Transport,
  type: ResourceType<T>,
  options: WatchOptions,
): AsyncIterable<WatchEvent<T>> {
  const { namespace, labelSelector, fieldSelector, resourceVersion, timeoutSeconds, signal } = options
  const path = collectionPath(type, namespace)
  const query = { watch: 1, labelSelector, fieldSelector, resourceVersion, timeoutSeconds }
  const allowWatchBookmarks = options.allowBookmarks === true ? true : undefined
  const title = `watch ${path}`
  try {
    const body = await transport.stream({
      method: 'GET',
      path: withQuery(path, { ...query, allowWatchBookmarks }),
      signal,
    })
    for await (const line of splitLines(body)) {
      if (line.trim() !== '') yield parseWatchEvent<T>(title, line)
    }
  } catch (error) {
    if (signal?.aborted === true) return
    if (error instanceof KubeError) throw error
    throw new KubeError(`${title}: the connection broke`, { statusCode: 0, reason: 'Unreachable', cause: error })
  }
}

/** One line of a watch. Throws KubeError for an ERROR event and for a line that is no event. */
export function parseWatchEvent<T extends KubeObject>(title: string, line: string): WatchEvent<T> {
  let event: { type?: string; object?: unknown } | null
  try {
    event = JSON.parse(line) as typeof event
  } catch (cause) {
    throw new KubeError(`${title}: not JSON: ${line.slice(0, 80)}`, { statusCode: 0, reason: 'BadAnswer', cause })
  }
  if (event?.type === 'ERROR') {
    const status = event.object as KubeStatus
    throw statusError(title, status.code ?? 500, status)
  }
  if (event?.type === undefined || typeof event.object !== 'object' || event.object === null) {
    throw new KubeError(`${title}: not a watch event: ${line.slice(0, 80)}`, { statusCode: 0, reason: 'BadAnswer' })
  }
  return event as WatchEvent<T>
}

interface PatchRequest {
  body: unknown
  contentType: string
  query: { fieldManager?: string; force?: boolean | undefined }
}

function patchRequest(type: ResourceType, patch: Patch): PatchRequest {
  switch (patch.type) {
    case 'json':
      return { body: patch.operations, contentType: 'application/json-patch+json', query: {} }
    case 'merge':
      return { body: patch.body, contentType: 'application/merge-patch+json', query: {} }
    case 'strategic':
      return { body: patch.body, contentType: 'application/strategic-merge-patch+json', query: {} }
    case 'apply':
      return {
        body: { apiVersion: apiVersionOf(type), kind: type.kind, ...patch.body },
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: patch.fieldManager, force: patch.force },
      }
  }
}

/** Items of a list of built-in kinds come without apiVersion and kind; everything that we hand out has them. */
function typed<T extends KubeObject>(type: ResourceType<T>, object: T): T {
  return object.kind === undefined ? { apiVersion: apiVersionOf(type), kind: type.kind, ...object } : object
}

function pathOf(type: ResourceType, object: KubeObject): string {
  return objectPath(type, object.metadata.name, object.metadata.namespace)
}
