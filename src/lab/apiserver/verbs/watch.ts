import type { ServerResponse } from 'node:http'
import type { Api, ResourceRequest } from '../api.ts'
import { type Presenter, presenterFor } from '../http/present.ts'
import { groupVersionOf } from '../resources/resource.ts'
import { type Selection, select, selectionOf } from '../selectors/selection.ts'
import { badRequest, expired, type StatusError } from '../status.ts'
import type { Change, Stored } from '../storage/history.ts'

/** A client that lets this much pile up is cut off with 410. */
const maxBacklogBytes = 16 * 1024 * 1024
const bookmarkEveryMs = 30_000
/** After a last word to a slow client. */
const lingerMs = 10_000

/** Streams changes until the client goes, the time is up, or the server stops (`signal`). Resolves when the stream has ended. */
export function watchObjects(
  api: Api,
  request: ResourceRequest,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const start = startOf(api, request)
  const selection = selectionOf(request)
  const stream = new WatchStream(request, response)
  stream.open()
  stream.holdUntil(api.store.durable())
  if (start.initial) sendInitial(api, request, stream, selection)
  else if (!sendMissed(api, request, stream, selection, start.revision)) return Promise.resolve()
  return follow(api, request, stream, selection, signal)
}

interface Start {
  readonly initial: boolean
  readonly revision: number
}

/** No version, or 0, means: all there is first. With sendInitialEvents=false it means: from now on. */
function startOf(api: Api, { query }: ResourceRequest): Start {
  const text = query.get('resourceVersion') || '0'
  const revision = Number(text)
  if (!Number.isInteger(revision) || revision < 0) throw badRequest(`invalid resourceVersion "${text}"`)
  const wantsInitial = query.get('sendInitialEvents')
  if (wantsInitial === 'true') return { initial: true, revision }
  if (revision === 0) return { initial: wantsInitial !== 'false', revision: api.store.revision }
  return { initial: false, revision }
}

function sendInitial(api: Api, request: ResourceRequest, stream: WatchStream, selection: Selection): void {
  const revision = api.store.revision
  const { collection } = request.resource
  for (const stored of select(api.store.list(collection, selection.prefix), selection)) stream.event('ADDED', stored)
  if (request.query.get('sendInitialEvents') === 'true') {
    stream.bookmark(revision, { 'k8s.io/initial-events-end': 'true' })
  }
  stream.seen = revision
}

/** False when the changes since then are no longer known, which the client has then been told. */
function sendMissed(
  api: Api,
  request: ResourceRequest,
  stream: WatchStream,
  selection: Selection,
  revision: number,
): boolean {
  const missed =
    revision > api.store.revision ? undefined : api.store.changesAfter(revision, request.resource.collection)
  if (missed === undefined) {
    stream.fail(expired(`too old resource version: ${revision} (${api.store.revision})`))
    return false
  }
  for (const change of missed) sendChange(change, stream, selection)
  stream.seen = Math.max(revision, missed.at(-1)?.revision ?? 0)
  return true
}

function follow(
  api: Api,
  request: ResourceRequest,
  stream: WatchStream,
  selection: Selection,
  signal: AbortSignal,
): Promise<void> {
  const wantsBookmarks = request.query.get('allowWatchBookmarks') === 'true'
  const mark = (): void => {
    if (wantsBookmarks) stream.bookmark(Math.max(stream.seen, latest))
  }
  let latest = stream.seen
  return new Promise((resolve) => {
    const unsubscribe = api.store.onChange((change) => {
      latest = change.revision
      if (change.collection !== request.resource.collection || change.revision <= stream.seen) return
      stream.seen = change.revision
      sendOrEnd(change, stream, selection)
    })
    const bookmarks = setInterval(mark, bookmarkEveryMs)
    const stop = (): void => stream.end()
    const deadline = setTimeout(() => {
      mark()
      stop()
    }, timeoutMs(request))
    signal.addEventListener('abort', stop, { once: true })
    stream.onClosed(() => {
      unsubscribe()
      clearInterval(bookmarks)
      clearTimeout(deadline)
      signal.removeEventListener('abort', stop)
      resolve()
    })
  })
}

function timeoutMs({ query }: ResourceRequest): number {
  const asked = Number(query.get('timeoutSeconds') ?? 0)
  const seconds = asked > 0 ? Math.min(asked, 24 * 3600) : 1800 * (1 + Math.random())
  return seconds * 1000
}

/** A change that cannot be presented must not harm the other listeners: this client has to list again. */
function sendOrEnd(change: Change, stream: WatchStream, selection: Selection): void {
  try {
    sendChange(change, stream, selection)
  } catch {
    stream.end()
  }
}

/** An object that enters or leaves the selection is added or deleted as far as this client can see. */
function sendChange(change: Change, stream: WatchStream, selection: Selection): void {
  if (!change.key.startsWith(selection.prefix)) return
  const isIn = change.type !== 'DELETED' && selection.matches(change.stored.object)
  const wasIn = change.before !== undefined && selection.matches(change.before.object)
  if (isIn) stream.event(wasIn ? 'MODIFIED' : 'ADDED', change.stored)
  else if (wasIn) stream.event('DELETED', change.stored)
}

class WatchStream {
  /** The last revision that this client knows. */
  seen = 0
  readonly #response: ServerResponse
  readonly #presenter: Presenter
  readonly #request: ResourceRequest

  constructor(request: ResourceRequest, response: ServerResponse) {
    this.#request = request
    this.#response = response
    this.#presenter = presenterFor(request)
  }

  open(): void {
    this.#response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' })
    this.#response.flushHeaders()
  }

  /** Sends nothing before `ready`: what is written here may not be on disk yet. */
  holdUntil(ready: Promise<void>): void {
    this.#response.cork()
    ready.then(
      () => this.#response.uncork(),
      () => this.#response.destroy(),
    )
  }

  onClosed(listener: () => void): void {
    if (this.#response.closed || this.#response.destroyed) listener()
    else this.#response.once('close', listener)
  }

  event(type: 'ADDED' | 'MODIFIED' | 'DELETED', stored: Stored): void {
    this.#write(type, this.#presenter.event(stored))
  }

  bookmark(revision: number, annotations?: Record<string, string>): void {
    const { resource } = this.#request
    const metadata = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    }
    const object = { kind: resource.kind, apiVersion: groupVersionOf(resource), metadata }
    this.#write('BOOKMARK', JSON.stringify(object))
  }

  fail(error: StatusError): void {
    this.#write('ERROR', JSON.stringify(error.toStatus()))
    this.end()
  }

  end(): void {
    if (!this.#response.writableEnded) this.#response.end()
  }

  #write(type: string, json: string): void {
    const response = this.#response
    if (response.writableEnded || response.destroyed) return
    response.write(`{"type":"${type}","object":${json}}\n`)
    if (response.writableLength > maxBacklogBytes) this.#cutOff()
  }

  #cutOff(): void {
    const status = expired('this watch fell too far behind; list again').toStatus()
    this.#response.end(`{"type":"ERROR","object":${JSON.stringify(status)}}\n`)
    setTimeout(() => this.#response.destroy(), lingerMs).unref()
  }
}
