import jsonPatch from 'fast-json-patch'
import { defer } from '../base/clock.ts'
import { Emitter } from '../base/observable.ts'
import type { KubeClient, Patch, WatchEvent, WatchOptions } from './api.ts'
import { isNotFound, KubeError, undefinedIfNotFound } from './errors.ts'
import { collectionName, FakeStore, type StoredEvent } from './fake-store.ts'
import { mergePatch } from './patch.ts'
import { apiVersionOf, type KubeObject, type ResourceType } from './resources/meta.ts'
import { parseSelectors } from './selector.ts'

/** One request that the fake has been asked for. */
export interface FakeRequest {
  readonly verb: 'get' | 'list' | 'create' | 'update' | 'updateStatus' | 'patch' | 'delete' | 'watch' | 'raw'
  readonly type?: ResourceType
  readonly name?: string | undefined
  readonly namespace?: string | undefined
}

/** The Kubernetes API in memory, for unit tests. It keeps the promises of test/contract/kube.ts. */
export interface FakeKube extends KubeClient {
  /** Everything asked so far. */
  readonly requests: FakeRequest[]
  /** Called before each request; what it throws is the answer. */
  intercept(hook: ((request: FakeRequest) => void) | undefined): void
  /** Puts objects in without leaving a request behind; status is kept. */
  seed<T extends KubeObject>(type: ResourceType<T>, ...objects: T[]): void
  /** Ends every watch, as a restarted API server does. */
  endWatches(): void
  /** Forgets the history: watches from an older resourceVersion get 410. */
  compact(): void
  /** Sends a bookmark to every watch that allows them. */
  bookmark(): void
  /** Answers `raw`. @default 404 */
  onRaw(answer: (method: string, path: string, body: unknown) => unknown): void
}

export function createFakeKube(): FakeKube {
  const store = new FakeStore()
  const requests: FakeRequest[] = []
  const watchEnds = new Emitter<void>()
  const bookmarks = new Emitter<void>()
  let hook: ((request: FakeRequest) => void) | undefined
  let answerRaw = (method: string, path: string, _body: unknown): unknown => {
    throw new KubeError(`${method} ${path}: the fake has no answer`, { statusCode: 404 })
  }

  /** Every answer comes later than the call, as over the network. */
  const ask = async <T>(request: FakeRequest, answer: () => KubeObject): Promise<T> => {
    await Promise.resolve()
    requests.push(request)
    hook?.(request)
    return answer() as unknown as T
  }

  const fake: FakeKube = {
    requests,
    intercept: (next) => {
      hook = next
    },
    seed(type, ...objects) {
      for (const object of objects) {
        const created = store.create(type, object)
        if ('status' in object) store.replace(type, { ...object, metadata: created.metadata }, 'status')
      }
    },
    endWatches: () => watchEnds.emit(),
    compact: () => store.compact(),
    bookmark: () => bookmarks.emit(),
    onRaw: (answer) => {
      answerRaw = answer
    },

    get: (type, name, namespace) => ask({ verb: 'get', type, name, namespace }, () => store.get(type, name, namespace)),
    find: (type, name, namespace) => undefinedIfNotFound(fake.get(type, name, namespace)),
    async list(type, options = {}) {
      await ask({ verb: 'list', type, namespace: options.namespace }, () => ({ metadata: { name: '' } }))
      const items = selectObjects(store.all(type), options) as (typeof type.object & KubeObject)[]
      return { items: items as never[], metadata: { resourceVersion: String(store.resourceVersion) } }
    },
    async *pages(type, options) {
      yield await fake.list(type, options)
    },
    create: (type, object) => ask({ verb: 'create', type, ...place(object) }, () => store.create(type, object)),
    update: (type, object) =>
      ask({ verb: 'update', type, ...place(object) }, () => store.replace(type, object, 'main')),
    updateStatus: (type, object) =>
      ask({ verb: 'updateStatus', type, ...place(object) }, () => store.replace(type, object, 'status')),
    patch: (type, name, patch, options = {}) =>
      ask({ verb: 'patch', type, name, namespace: options.namespace }, () =>
        applyPatch(store, type, { name, namespace: options.namespace }, patch, options.subresource),
      ),
    async delete(type, name, options = {}) {
      const { namespace, preconditions, ignoreNotFound } = options
      try {
        await ask({ verb: 'delete', type, name, namespace }, () => {
          const stored = store.get(type, name, namespace)
          checkPreconditions(stored, preconditions)
          store.delete(type, name, namespace)
          return stored
        })
      } catch (error) {
        if (ignoreNotFound !== true || !isNotFound(error)) throw error
      }
    },
    watch: (type, options) => {
      const request: FakeRequest = { verb: 'watch', type, namespace: options.namespace }
      return watchStore({
        store,
        type,
        options,
        watchEnds,
        bookmarks,
        begin: () => ask(request, () => ({ metadata: { name: '' } })),
      })
    },
    async raw(method, path, body) {
      await ask({ verb: 'raw', name: path }, () => ({ metadata: { name: '' } }))
      return answerRaw(method, path, body)
    },
  }
  return fake
}

function place(object: KubeObject): { name: string; namespace: string | undefined } {
  return { name: object.metadata.name, namespace: object.metadata.namespace }
}

function selectObjects(objects: KubeObject[], options: WatchOptions): KubeObject[] {
  const isSelected = parseSelectors(options)
  return objects.filter(
    (object) =>
      (options.namespace === undefined || object.metadata.namespace === options.namespace) && isSelected(object),
  )
}

function checkPreconditions(stored: KubeObject, wanted: { uid?: string; resourceVersion?: string } | undefined): void {
  for (const [key, value] of Object.entries(wanted ?? {})) {
    if (value === undefined || stored.metadata[key as 'uid'] === value) continue
    throw new KubeError(`precondition failed: ${key} is not ${value}`, { statusCode: 409, reason: 'Conflict' })
  }
}

function applyPatch(
  store: FakeStore,
  type: ResourceType,
  at: { name: string; namespace: string | undefined },
  patch: Patch,
  subresource?: 'status',
): KubeObject {
  const part = subresource === 'status' ? 'status' : 'main'
  if (patch.type === 'apply') return applyObject(store, type, at, patch.body)
  const stored = store.get(type, at.name, at.namespace)
  const patched = patch.type === 'json' ? jsonPatched(stored, patch) : mergePatch(stored, patch.body)
  return store.replace(type, patched as KubeObject, part)
}

/** Server-side apply without field ownership: creates, or merges. */
function applyObject(
  store: FakeStore,
  type: ResourceType,
  at: { name: string; namespace: string | undefined },
  body: object,
): KubeObject {
  const identity = { apiVersion: apiVersionOf(type), kind: type.kind, metadata: { name: at.name, ...namespaceOf(at) } }
  try {
    return store.replace(type, mergePatch(store.get(type, at.name, at.namespace), body) as KubeObject, 'main')
  } catch (error) {
    if (!isNotFound(error)) throw error
    return store.create(type, mergePatch(identity, body) as KubeObject)
  }
}

function namespaceOf(at: { namespace: string | undefined }): { namespace?: string } {
  return at.namespace === undefined ? {} : { namespace: at.namespace }
}

function jsonPatched(stored: KubeObject, patch: Extract<Patch, { type: 'json' }>): unknown {
  try {
    return jsonPatch.applyPatch(stored, patch.operations as never, true).newDocument
  } catch (cause) {
    throw new KubeError('the JSON patch does not fit the object', { statusCode: 422, reason: 'Invalid', cause })
  }
}

interface FakeWatch {
  store: FakeStore
  type: ResourceType
  options: WatchOptions
  watchEnds: Emitter<void>
  bookmarks: Emitter<void>
  begin: () => Promise<unknown>
}

async function* watchStore<T extends KubeObject>(watch: FakeWatch): AsyncIterable<WatchEvent<T>> {
  const { store, type, options } = watch
  await watch.begin()
  const ready: WatchEvent<KubeObject>[] = [...missedEvents(store, type, options)]
  let wake = defer()
  let hasEnded = options.signal?.aborted === true
  const push = (event: WatchEvent<KubeObject>): void => {
    ready.push(event)
    wake.resolve()
  }
  const end = (): void => {
    hasEnded = true
    wake.resolve()
  }
  const collection = { type, options }
  const unsubscribers = [
    store.changes.on((event) => watchedEvents(event, collection).forEach(push)),
    watch.watchEnds.on(end),
    watch.bookmarks.on(() => options.allowBookmarks === true && push(bookmarkAt(store.resourceVersion))),
  ]
  options.signal?.addEventListener('abort', end, { once: true })
  try {
    while (!hasEnded) {
      const event = ready.shift()
      if (event === undefined) {
        await wake.promise
        wake = defer()
      } else yield structuredClone({ type: event.type, object: event.object }) as WatchEvent<T>
    }
  } finally {
    for (const unsubscribe of unsubscribers) unsubscribe()
    options.signal?.removeEventListener('abort', end)
  }
}

function missedEvents(store: FakeStore, type: ResourceType, options: WatchOptions): WatchEvent<KubeObject>[] {
  const { resourceVersion } = options
  if (resourceVersion === undefined || resourceVersion === '0' || resourceVersion === '') {
    return selectObjects(store.all(type), options).map((object) => ({ type: 'ADDED', object }))
  }
  return store.eventsSince(type, Number(resourceVersion)).flatMap((event) => watchedEvents(event, { type, options }))
}

/** What a watch says of a change: an object that enters the selection is added, one that leaves it is deleted. */
function watchedEvents(
  event: StoredEvent,
  watched: { type: ResourceType; options: WatchOptions },
): WatchEvent<KubeObject>[] {
  if (event.collection !== collectionName(watched.type)) return []
  const isSelected = (object: KubeObject | undefined): boolean =>
    object !== undefined && selectObjects([object], watched.options).length === 1
  const isIn = event.type !== 'DELETED' && isSelected(event.object)
  const wasIn = isSelected(event.before)
  if (isIn) return [{ type: wasIn ? 'MODIFIED' : 'ADDED', object: event.object }]
  return wasIn ? [{ type: 'DELETED', object: event.object }] : []
}

function bookmarkAt(resourceVersion: number): WatchEvent<KubeObject> {
  return {
    type: 'BOOKMARK',
    object: { metadata: { resourceVersion: String(resourceVersion) } as KubeObject['metadata'] },
  }
}
