import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TwinlaneError } from '../../../base/errors.ts'
import { findFile, writeFileAtomic } from '../../../base/file.ts'
import type { Log } from '../../../base/log.ts'
import { Emitter, type Unsubscribe } from '../../../base/observable.ts'
import type { ApiObject } from '../object.ts'
import { type Change, History, type Stored } from './history.ts'
import { AppendLog, renderLine, replay } from './log.ts'

export interface StoreOptions {
  folder: string
  log: Log
  /** The log is folded into a snapshot beyond this size. @default 16 MiB */
  compactAtBytes?: number
  /** How many changes a watch can look back. @default 4096 */
  historyLength?: number
}

/** A line of the log and of the snapshot. Without `object` it is a deletion. */
interface StoreRecord {
  revision: number
  collection: string
  key: string
  object?: ApiObject
}

/**
 * All objects in memory, every change first in an append-only log. Reading and changing are synchronous, so code between
 * a `get` and a `put` without an await is a transaction. Changes are announced, and `durable` resolves, only after the
 * log has them on disk: nobody outside ever sees a state that a crash can take back.
 */
export class Store {
  readonly #log: AppendLog
  readonly #collections: Collections
  readonly #history: History
  readonly #durableChanges = new Emitter<Change>()
  readonly #applied = new Emitter<Change>()
  readonly #report: Log
  readonly #state: { revision: number }

  private constructor(options: StoreOptions, log: AppendLog, loaded: Loaded) {
    this.#report = options.log
    this.#log = log
    this.#state = loaded
    this.#collections = loaded.collections
    this.#history = new History(options.historyLength ?? 4096, loaded.revision)
  }

  /** Reads snapshot and log. Throws when the snapshot is damaged, which no crash can cause. */
  static async open(options: StoreOptions): Promise<Store> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 })
    const snapshotPath = join(options.folder, 'snapshot.jsonl')
    const loaded = await loadSnapshot(snapshotPath)
    const log = await AppendLog.open({
      path: join(options.folder, 'log.jsonl'),
      onRecord: (record) => replayRecord(loaded, record as StoreRecord),
      compactAtBytes: options.compactAtBytes ?? 16 * 1024 * 1024,
      compact: () => writeFileAtomic(snapshotPath, renderSnapshot(loaded), { mode: 0o600 }),
    })
    if (log.droppedBytes > 0) {
      options.log.warn({ bytes: log.droppedBytes }, 'cut off a torn line at the end of the store log')
    }
    return new Store(options, log, loaded)
  }

  /** The last resourceVersion given out. */
  get revision(): number {
    return this.#state.revision
  }

  get(collection: string, key: string): Stored | undefined {
    return this.#collections.get(collection)?.get(key)
  }

  /** The objects of a collection in the order of their keys; `prefix` narrows to one namespace (`ns/`). */
  list(collection: string, prefix = ''): Stored[] {
    const found: [string, Stored][] = []
    for (const entry of this.#collections.get(collection) ?? []) if (entry[0].startsWith(prefix)) found.push(entry)
    found.sort((a, b) => (a[0] < b[0] ? -1 : 1))
    return found.map((entry) => entry[1])
  }

  /** The names of the collections that hold something. */
  get collections(): string[] {
    return [...this.#collections.keys()]
  }

  /** Stores an object with the next resourceVersion. The object must not be changed afterwards. */
  put(collection: string, key: string, object: ApiObject): Stored {
    const revision = ++this.#state.revision
    object.metadata.resourceVersion = String(revision)
    const before = this.get(collection, key)
    const json = JSON.stringify(object)
    const stored = { object, json }
    collectionOf(this.#collections, collection).set(key, stored)
    const type = before === undefined ? 'ADDED' : 'MODIFIED'
    this.#record({ revision, collection, key, type, stored, before }, renderRecord({ revision, collection, key }, json))
    return stored
  }

  /** Removes an object; returns its last state. */
  remove(collection: string, key: string): Stored | undefined {
    const before = this.get(collection, key)
    if (before === undefined) return undefined
    const revision = ++this.#state.revision
    const metadata = { ...before.object.metadata, resourceVersion: String(revision) }
    const object = { ...before.object, metadata }
    const stored = { object, json: JSON.stringify(object) }
    this.#collections.get(collection)?.delete(key)
    const type = 'DELETED'
    this.#record({ revision, collection, key, type, stored, before }, JSON.stringify({ revision, collection, key }))
    return stored
  }

  /** Resolves when every change made so far is on disk. */
  durable(): Promise<void> {
    return this.#log.settled()
  }

  /** Changes of one collection after a revision, or undefined when they are no longer all known. */
  changesAfter(revision: number, collection: string): Change[] | undefined {
    return this.#history.after(revision, collection)
  }

  /** Called for every change soon after it is on disk, in order; `changesAfter` may know it a little earlier. */
  onChange(listener: (change: Change) => void): Unsubscribe {
    return this.#durableChanges.on(listener)
  }

  /** Called for every change at once, before it is on disk: for what the server itself derives from objects. */
  onApplied(listener: (change: Change) => void): Unsubscribe {
    return this.#applied.on(listener)
  }

  close(): Promise<void> {
    return this.#log.close()
  }

  #record(change: Change, json: string): void {
    this.#applied.emit(change)
    this.#log.append(json).then(
      () => this.#announce(change),
      (error: unknown) => this.#report.error({ error, key: change.key }, 'cannot write the store log'),
    )
  }

  /** Who made the change is answered before the watches are told: their clients would wake up first otherwise. */
  #announce(change: Change): void {
    this.#history.push(change)
    setImmediate(() => this.#durableChanges.emit(change))
  }
}

type Collections = Map<string, Map<string, Stored>>

interface Loaded {
  revision: number
  readonly collections: Collections
}

function collectionOf(collections: Collections, name: string): Map<string, Stored> {
  const found = collections.get(name)
  if (found !== undefined) return found
  const created = new Map<string, Stored>()
  collections.set(name, created)
  return created
}

/** The first line tells the revision, the others one object each. */
function renderSnapshot({ revision, collections }: Loaded): string {
  const lines = [renderLine(JSON.stringify({ revision }))]
  for (const [collection, objects] of collections) {
    for (const [key, { json }] of objects) lines.push(renderLine(renderRecord({ revision, collection, key }, json)))
  }
  return lines.join('')
}

async function loadSnapshot(path: string): Promise<Loaded> {
  const loaded: Loaded = { revision: 0, collections: new Map() }
  const text = await findFile(path)
  if (text === undefined) return loaded
  const content = Buffer.from(text)
  let isFirst = true
  const good = replay(content, (record) => {
    if (isFirst) loaded.revision = (record as StoreRecord).revision
    else loadRecord(loaded, record as StoreRecord)
    isFirst = false
  })
  if (isFirst || good < content.length) {
    throw new TwinlaneError(`the store's snapshot ${path} is damaged at byte ${good}`, {
      fix: 'Remove the folder to start with an empty store.',
    })
  }
  return loaded
}

/** The log may still hold what the snapshot already covers. */
function replayRecord(loaded: Loaded, record: StoreRecord): void {
  if (record.revision <= loaded.revision) return
  loaded.revision = record.revision
  loadRecord(loaded, record)
}

function loadRecord(loaded: Loaded, { collection, key, object }: StoreRecord): void {
  const objects = collectionOf(loaded.collections, collection)
  if (object === undefined) objects.delete(key)
  else objects.set(key, { object, json: JSON.stringify(object) })
}

function renderRecord(head: { revision: number; collection: string; key: string }, objectJson: string): string {
  return `${JSON.stringify(head).slice(0, -1)},"object":${objectJson}}`
}
