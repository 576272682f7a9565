import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError } from '../../../base/errors.ts'
import { KeyedLock } from '../../../base/keyed-lock.ts'
import type { Log } from '../../../base/log.ts'
import type { PodRecord } from './record.ts'

/**
 * One JSON file a pod. Files are replaced by rename and not synced: what they describe lives in this node's kernel, which
 * does not outlive a loss of power either.
 */
export class RecordStore {
  readonly #folder: string
  readonly #log: Log
  readonly #records = new Map<string, PodRecord>()
  readonly #writes = new KeyedLock()

  constructor(options: { folder: string; log: Log }) {
    this.#folder = options.folder
    this.#log = options.log
  }

  /** Reads what an earlier process left. */
  async load(): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      if (name.endsWith('.json')) await this.#loadFile(path)
      else await rm(path, { force: true })
    }
  }

  get(uid: string): PodRecord | undefined {
    return this.#records.get(uid)
  }

  list(): PodRecord[] {
    return [...this.#records.values()]
  }

  /** Makes a record for a pod that has none. */
  create(record: PodRecord): PodRecord {
    this.#records.set(record.uid, record)
    return record
  }

  /** Changes a pod's record: at once for readers, and on disk when it resolves. A pod without a record is left alone. */
  async update(uid: string, change: (record: PodRecord) => PodRecord): Promise<void> {
    const record = this.#records.get(uid)
    if (record === undefined) return
    this.#records.set(uid, change(record))
    await this.#writes.run(uid, () => this.#write(uid))
  }

  async remove(uid: string): Promise<void> {
    this.#records.delete(uid)
    await this.#writes.run(uid, () => rm(this.#pathOf(uid), { force: true }))
  }

  async #write(uid: string): Promise<void> {
    const record = this.#records.get(uid)
    if (record === undefined) return
    const draft = `${this.#pathOf(uid)}.draft`
    await writeFile(draft, JSON.stringify(record))
    await rename(draft, this.#pathOf(uid))
  }

  async #loadFile(path: string): Promise<void> {
    try {
      const record = JSON.parse(await readFile(path, 'utf8')) as PodRecord
      this.#records.set(record.uid, record)
    } catch (error) {
      this.#log.warn({ path, error: describeError(error) }, 'passed over a sandbox record that cannot be read')
    }
  }

  #pathOf(uid: string): string {
    return join(this.#folder, `${uid}.json`)
  }
}
