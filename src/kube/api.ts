import type { Changing, Unsubscribe } from '../base/observable.ts'
import type { KubeObject, ListMeta, ResourceType } from './resources/meta.ts'

/** The Kubernetes API as this project uses it; `client.ts` speaks it over HTTPS, `fake.ts` in memory. Failures are KubeError. */
export interface KubeClient {
  get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<T>
  /** Like get, but undefined when there is no such object. */
  find<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<T | undefined>
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<{ items: T[]; metadata: ListMeta }>
  /** Like list, page by page, so that a reader who keeps little of each object never holds all of them. */
  pages<T extends KubeObject>(
    type: ResourceType<T>,
    options?: ListOptions,
  ): AsyncIterable<{ items: T[]; metadata: ListMeta }>
  create<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T>
  /** PUT: compare-and-swap when `metadata.resourceVersion` is set. */
  update<T extends KubeObject>(type: ResourceType<T>, object: T, options?: UpdateOptions): Promise<T>
  updateStatus<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T>
  patch<T extends KubeObject>(type: ResourceType<T>, name: string, patch: Patch, options?: PatchOptions): Promise<T>
  /** Deletes; not found is an error unless `ignoreNotFound`. */
  delete(type: ResourceType, name: string, options?: DeleteOptions): Promise<void>
  /** Ends when the server or the signal ends it; throws KubeError(410) when the resourceVersion is too old. */
  watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** A raw request to any path, e.g. discovery. Parsed JSON. */
  raw(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<unknown>
}

export interface ListOptions {
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
}

export interface WatchOptions extends ListOptions {
  resourceVersion?: string | undefined
  allowBookmarks?: boolean
  timeoutSeconds?: number
  signal?: AbortSignal | undefined
}

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  object: T
}

export type Patch =
  | { type: 'json'; operations: readonly { op: string; path: string; value?: unknown; from?: string }[] }
  | { type: 'merge'; body: object }
  | { type: 'strategic'; body: object }
  | { type: 'apply'; body: object; fieldManager: string; force?: boolean }

export interface UpdateOptions {
  /**
   * The server is asked for no more than the new metadata, and not to look for unknown fields; the rest of the result
   * is what was sent. For large objects that are written often, and that the server has nothing to add to.
   */
  trustsObject?: boolean
}

export interface PatchOptions {
  namespace?: string | undefined
  subresource?: 'status' | undefined
}

export interface DeleteOptions {
  namespace?: string | undefined
  ignoreNotFound?: boolean
  gracePeriodSeconds?: number | undefined
  preconditions?: { uid?: string; resourceVersion?: string } | undefined
}

/**
 * A local copy of a collection, kept by list and watch. `start` resolves after the first full list; reads never go to
 * the network. Objects are shared: never change them.
 */
export interface Informer<T extends KubeObject> extends Changing {
  start(signal: AbortSignal): Promise<void>
  readonly hasSynced: boolean
  get(name: string, namespace?: string): T | undefined
  list(): readonly T[]
  /** Calls back for every later change and, at once, for what is already there. */
  on(listener: (event: InformerEvent<T>) => void): Unsubscribe
}

export type InformerEvent<T> =
  | { type: 'added'; object: T }
  | { type: 'updated'; object: T; before: T }
  | { type: 'deleted'; object: T }

export interface InformerOptions<T extends KubeObject> extends ListOptions {
  /** Keeps only what is needed of each object, to save memory. */
  transform?: (object: T) => T
}
