import { randomUUID } from 'node:crypto'
import { Emitter } from '../base/observable.ts'
import type { WatchEvent } from './api.ts'
import { KubeError } from './errors.ts'
import { isEqualJson } from './patch.ts'
import { apiVersionOf, type KubeObject, keyOf, type ResourceType } from './resources/meta.ts'

export interface StoredEvent extends WatchEvent<KubeObject> {
  readonly resourceVersion: number
  /** The object before, unless it is new. */
  readonly before: KubeObject | undefined
  /** `plural.group`. */
  readonly collection: string
}

/** Objects in memory with the API server's rules for resourceVersion, uid, generation, status and finalizers. */
export class FakeStore {
  readonly changes = new Emitter<StoredEvent>()
  readonly #collections = new Map<string, Map<string, KubeObject>>()
  #history: StoredEvent[] = []
  #resourceVersion = 100
  #oldestKnown = 100

  get resourceVersion(): number {
    return this.#resourceVersion
  }

  all(type: ResourceType): KubeObject[] {
    return [...this.#collection(type).values()].map((object) => structuredClone(object))
  }

  get(type: ResourceType, name: string, namespace?: string): KubeObject {
    const stored = this.#collection(type).get(keyOf({ metadata: metadataOf(type, name, namespace) }))
    if (stored === undefined) throw refusal(404, 'NotFound', type, name, 'not found')
    return structuredClone(stored)
  }

  create(type: ResourceType, given: KubeObject): KubeObject {
    const object = structuredClone(given)
    const { metadata } = object
    if (metadata.name === undefined && metadata.generateName !== undefined) {
      metadata.name = `${metadata.generateName}${randomUUID().slice(0, 5)}`
    }
    if (type.isNamespaced && metadata.namespace === undefined) {
      throw refusal(400, 'BadRequest', type, metadata.name, 'has no namespace')
    }
    if (this.#collection(type).has(keyOf(object)))
      throw refusal(409, 'AlreadyExists', type, metadata.name, 'already exists')
    metadata.uid = randomUUID()
    metadata.creationTimestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    metadata.generation = 1
    if (hasStatusSubresource(type) && type.group !== '') delete (object as { status?: unknown }).status
    return this.#put(type, { apiVersion: apiVersionOf(type), kind: type.kind, ...object }, 'ADDED')
  }

  /** Replaces spec and metadata, or only the status. Compare-and-swap when the given object has a resourceVersion. */
  replace(type: ResourceType, given: KubeObject, part: 'main' | 'status'): KubeObject {
    const { name, namespace, resourceVersion } = given.metadata
    const stored = this.get(type, name, namespace)
    if (resourceVersion !== undefined && resourceVersion !== stored.metadata.resourceVersion) {
      throw refusal(
        409,
        'Conflict',
        type,
        name,
        'the object has been modified; apply your changes to the latest version',
      )
    }
    const next = part === 'status' ? byStatus(type, given, stored) : withServerFields(type, given, stored)
    if (isEqualJson(withoutVersion(next), withoutVersion(stored))) return stored
    const isReleased = next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0
    if (isReleased) return this.#remove(type, next)
    return this.#put(type, next, 'MODIFIED')
  }

  delete(type: ResourceType, name: string, namespace?: string): void {
    const stored = this.get(type, name, namespace)
    if ((stored.metadata.finalizers ?? []).length === 0) {
      this.#remove(type, stored)
    } else if (stored.metadata.deletionTimestamp === undefined) {
      stored.metadata.deletionTimestamp = new Date().toISOString()
      this.#put(type, stored, 'MODIFIED')
    }
  }

  /** What a watch from this resourceVersion has missed. Throws KubeError(410) when it is no longer known. */
  eventsSince(type: ResourceType, resourceVersion: number): StoredEvent[] {
    if (resourceVersion < this.#oldestKnown) {
      throw new KubeError(`too old resource version: ${resourceVersion} (${this.#oldestKnown})`, { statusCode: 410 })
    }
    const collection = collectionName(type)
    return this.#history.filter((event) => event.resourceVersion > resourceVersion && event.collection === collection)
  }

  /** Forgets the history, as an API server's compaction does. */
  compact(): void {
    this.#history = []
    this.#oldestKnown = this.#resourceVersion
  }

  #collection(type: ResourceType): Map<string, KubeObject> {
    const name = collectionName(type)
    const found = this.#collections.get(name) ?? new Map<string, KubeObject>()
    this.#collections.set(name, found)
    return found
  }

  #put(type: ResourceType, object: KubeObject, event: 'ADDED' | 'MODIFIED'): KubeObject {
    const before = this.#collection(type).get(keyOf(object))
    object.metadata.resourceVersion = String(++this.#resourceVersion)
    this.#collection(type).set(keyOf(object), object)
    return this.#publish(type, { type: event, object, before })
  }

  #remove(type: ResourceType, object: KubeObject): KubeObject {
    const before = this.#collection(type).get(keyOf(object))
    object.metadata.resourceVersion = String(++this.#resourceVersion)
    this.#collection(type).delete(keyOf(object))
    return this.#publish(type, { type: 'DELETED', object, before })
  }

  #publish(type: ResourceType, event: Pick<StoredEvent, 'type' | 'object' | 'before'>): KubeObject {
    const stored: StoredEvent = {
      ...event,
      object: structuredClone(event.object),
      resourceVersion: this.#resourceVersion,
      collection: collectionName(type),
    }
    this.#history.push(stored)
    this.changes.emit(stored)
    return structuredClone(event.object)
  }
}

/** How the fake names a collection: `pods`, `ippools.projectcalico.org`. */
export function collectionName(type: ResourceType): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`
}

/** Built-in kinds of the core group have the status subresource where they have a status; CRDs say it themselves. */
function hasStatusSubresource(type: ResourceType): boolean {
  if ('hasStatus' in type) return type.hasStatus === true
  return ['Pod', 'Node', 'Service', 'Namespace'].includes(type.kind)
}

function withServerFields(type: ResourceType, given: KubeObject, stored: KubeObject): KubeObject {
  const next = structuredClone(given) as KubeObject & { status?: unknown; spec?: unknown }
  const { uid, creationTimestamp, deletionTimestamp, generation = 1 } = stored.metadata
  const isSameSpec = isEqualJson(next.spec, (stored as { spec?: unknown }).spec)
  Object.assign(next.metadata, { uid, creationTimestamp, generation: isSameSpec ? generation : generation + 1 })
  if (deletionTimestamp !== undefined) next.metadata.deletionTimestamp = deletionTimestamp
  if (!hasStatusSubresource(type)) return next
  return withStatusOf(next, stored)
}

/** Through /status only the status changes, and for built-in kinds labels and annotations. */
function byStatus(type: ResourceType, given: KubeObject, stored: KubeObject): KubeObject {
  const next = withStatusOf(stored, given)
  if (type.group !== '') return next
  const { labels, annotations } = given.metadata
  Object.assign(next.metadata, { ...(labels && { labels }), ...(annotations && { annotations }) })
  return next
}

function withStatusOf(object: KubeObject, source: KubeObject): KubeObject {
  const { status, ...rest } = object as KubeObject & { status?: unknown }
  const given = (source as { status?: unknown }).status
  return structuredClone(given === undefined ? rest : { ...rest, status: given })
}

function withoutVersion(object: KubeObject): unknown {
  return { ...object, metadata: { ...object.metadata, resourceVersion: undefined } }
}

function metadataOf(type: ResourceType, name: string, namespace: string | undefined): KubeObject['metadata'] {
  if (!type.isNamespaced) return { name }
  if (namespace === undefined) throw refusal(400, 'BadRequest', type, name, 'has no namespace')
  return { name, namespace }
}

function refusal(statusCode: number, reason: string, type: ResourceType, name: string, problem: string): KubeError {
  return new KubeError(`${collectionName(type)} "${name}": ${problem}`, {
    statusCode,
    reason,
    details: { name, kind: type.plural, group: type.group },
  })
}
