import { systemClock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Emitter, type Unsubscribe } from '../base/observable.ts'
import { backoffMs } from '../base/retry.ts'
import type { Informer, InformerEvent, InformerOptions, KubeClient, WatchEvent } from './api.ts'
import { isGone, retryAfterMs } from './errors.ts'
import { type KubeObject, keyOf, type ResourceType } from './resources/meta.ts'

/** A watch that the server ends sooner than this, saying nothing, counts as a failure: otherwise it would be a busy loop. */
const shortWatchMs = 1000

/**
 * A local copy of a collection. Lists in pages, watches with bookmarks, goes on from the last resourceVersion after a
 * broken watch, lists again after 410, backs off with jitter, and never stops for good before its signal aborts.
 */
export function createInformer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  options: InformerOptions<T> & { log: Log },
): Informer<T> {
  return new ListWatchInformer(client, type, options)
}

class ListWatchInformer<T extends KubeObject> implements Informer<T> {
  readonly #client: KubeClient
  readonly #type: ResourceType<T>
  readonly #options: InformerOptions<T>
  readonly #log: Log
  readonly #events = new Emitter<InformerEvent<T>>()
  readonly #changes = new Emitter<void>()
  #objects = new Map<string, T>()
  #snapshot: readonly T[] | undefined
  #resourceVersion: string | undefined
  #hasSynced = false
  #failures = 0

  constructor(client: KubeClient, type: ResourceType<T>, options: InformerOptions<T> & { log: Log }) {
    this.#client = client
    this.#type = type
    this.#options = options
    this.#log = options.log.child({ informer: type.plural })
  }

  get hasSynced(): boolean {
    return this.#hasSynced
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#objects.get(namespace === undefined ? name : `${namespace}/${name}`)
  }

  list(): readonly T[] {
    this.#snapshot ??= [...this.#objects.values()]
    return this.#snapshot
  }

  on(listener: (event: InformerEvent<T>) => void): Unsubscribe {
    const unsubscribe = this.#events.on(listener)
    for (const object of this.list()) listener({ type: 'added', object })
    return unsubscribe
  }

  onChange(listener: () => void): Unsubscribe {
    return this.#changes.on(listener)
  }

  async start(signal: AbortSignal): Promise<void> {
    while (!this.#hasSynced) {
      signal.throwIfAborted()
      await this.#attempt(signal, () => this.#relist())
    }
    void this.#keepUp(signal)
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#attempt(signal, async () => {
        if (this.#resourceVersion === undefined) await this.#relist()
        await this.#watchOnce(signal)
      })
    }
  }

  /** Runs one step; a failure is logged and waited off. Never rejects. */
  async #attempt(signal: AbortSignal, step: () => Promise<void>): Promise<void> {
    try {
      await step()
    } catch (error) {
      if (signal.aborted) return
      if (isGone(error)) this.#resourceVersion = undefined
      const delayMs = Math.max(backoffMs(this.#failures++), retryAfterMs(error) ?? 0)
      const facts = { error: describeError(error), failures: this.#failures, delayMs }
      // One broken connection is everyday life; several in a row are news.
      if (this.#failures > 2) this.#log.warn(facts, 'cannot follow the API server, will retry')
      else this.#log.debug(facts, 'watch ended, will resume')
      await systemClock.sleep(delayMs, signal).catch(() => {})
    }
  }

  async #relist(): Promise<void> {
    const before = this.#objects
    const now = new Map<string, T>()
    let resourceVersion: string | undefined
    for await (const page of this.#client.pages(this.#type, this.#options)) {
      for (const item of page.items) now.set(keyOf(item), this.#keep(item))
      resourceVersion = page.metadata.resourceVersion
    }
    this.#objects = now
    this.#snapshot = undefined
    this.#resourceVersion = resourceVersion
    this.#hasSynced = true
    this.#failures = 0
    const differences = compareObjects(before, now)
    for (const difference of differences) this.#events.emit(difference)
    this.#changes.emit()
  }

  async #watchOnce(signal: AbortSignal): Promise<void> {
    const startedAt = Date.now()
    let isSilent = true
    const { namespace, labelSelector, fieldSelector } = this.#options
    for await (const event of this.#client.watch(this.#type, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion: this.#resourceVersion,
      allowBookmarks: true,
      timeoutSeconds: 300 + Math.floor(Math.random() * 300),
      signal,
    })) {
      isSilent = false
      this.#failures = 0
      this.#apply(event)
    }
    if (signal.aborted) return
    if (isSilent && Date.now() - startedAt < shortWatchMs) throw new Error('the server ended the watch at once')
  }

  #apply(event: WatchEvent<T>): void {
    this.#resourceVersion = event.object.metadata.resourceVersion
    if (event.type === 'BOOKMARK') return
    const key = keyOf(event.object)
    const before = this.#objects.get(key)
    const object = this.#keep(event.object)
    if (event.type === 'DELETED') this.#objects.delete(key)
    else this.#objects.set(key, object)
    this.#snapshot = undefined
    if (event.type === 'DELETED') this.#events.emit({ type: 'deleted', object })
    else if (before === undefined) this.#events.emit({ type: 'added', object })
    else this.#events.emit({ type: 'updated', object, before })
    this.#changes.emit()
  }

  #keep(object: T): T {
    return this.#options.transform === undefined ? object : this.#options.transform(object)
  }
}

/** What a watch would have said between two lists. A name that was deleted and made anew is a deletion and an addition. */
function compareObjects<T extends KubeObject>(
  before: ReadonlyMap<string, T>,
  now: ReadonlyMap<string, T>,
): InformerEvent<T>[] {
  const events: InformerEvent<T>[] = []
  for (const [key, object] of before) {
    const successor = now.get(key)
    if (successor === undefined || successor.metadata.uid !== object.metadata.uid)
      events.push({ type: 'deleted', object })
  }
  for (const [key, object] of now) {
    const predecessor = before.get(key)
    if (predecessor === undefined || predecessor.metadata.uid !== object.metadata.uid)
      events.push({ type: 'added', object })
    else if (predecessor.metadata.resourceVersion !== object.metadata.resourceVersion) {
      events.push({ type: 'updated', object, before: predecessor })
    }
  }
  return events
}
