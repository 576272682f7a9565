import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, TwinlaneError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/file.ts'
import { appendToSmallFile, findSmallFile, removeSmallFile, replaceSmallFile } from '../base/small-file.ts'
import type { AttachmentKey } from '../networks/driver.ts'
import { type AttachmentRecord, parseRecord, renderRecord } from './attachment-record.ts'

/** A record that cannot be read. Never taken for "nothing there": something may still be attached. */
export class CorruptRecordError extends TwinlaneError {}

const recordMode = 0o600

/** The records on disk, one file for each ADD of a runtime: `<container ID>@<interface>.json`. */
export class AttachmentStore {
  readonly #folder: string
  /** Names of the files that are there: most ADDs are the first of their container, and need not ask the disk. */
  readonly #known = new Set<string>()
  /** By the pod's UID. */
  readonly #pods = new Map<string, AttachmentKey>()
  #boot: string | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** `boot` (see boot.ts) is noted in every record that is written. */
  async open(boot?: string): Promise<void> {
    this.#boot = boot
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#folder)) this.#known.add(name)
  }

  /**
   * Notes an ADD before its first effect. A killed agent would find the note; `survives` resolves when it would also
   * survive a loss of power, which nothing but the answer has to wait for.
   */
  begin(record: AttachmentRecord): { survives: Promise<void> } {
    this.#known.add(nameOf(record))
    return replaceSmallFile(this.#pathOf(record), this.#render(record), recordMode)
  }

  /** Notes the end of an ADD. After a loss of power the note of its beginning will do: all that it made is gone. */
  complete(record: AttachmentRecord): void {
    appendToSmallFile(this.#pathOf(record), this.#render(record))
    if (isOfPod(record)) this.#pods.set(record.pod.uid, keyOf(record))
  }

  /** Notes, in a completed record, what is about to be attached or detached: it must outlive a kill. */
  async change(record: AttachmentRecord): Promise<void> {
    const options = { mode: recordMode, durability: 'content' } as const
    await writeFileAtomic(this.#pathOf(record), this.#render(record), options)
  }

  /** The last completed ADD of a whole pod. Those of an earlier process are known after `list`. */
  keyOfPod(uid: string): AttachmentKey | undefined {
    return this.#pods.get(uid)
  }

  get count(): number {
    return [...this.#known].filter((name) => name.endsWith('.json')).length
  }

  /** Whether the host was started anew since the ADD: then every namespace and interface of it is gone. */
  isOfEarlierBoot({ boot }: AttachmentRecord): boolean {
    return boot !== undefined && this.#boot !== undefined && boot !== this.#boot
  }

  /** Throws CorruptRecordError. */
  find(key: AttachmentKey): AttachmentRecord | undefined {
    return this.#known.has(nameOf(key)) ? this.#read(this.#pathOf(key)) : undefined
  }

  remove(key: AttachmentKey): void {
    removeSmallFile(this.#pathOf(key))
    this.#known.delete(nameOf(key))
    for (const [uid, { containerId, ifName }] of this.#pods) {
      if (containerId === key.containerId && ifName === key.ifName) this.#pods.delete(uid)
    }
  }

  /** Every record, and what is wrong with those that cannot be read. */
  async list(): Promise<{ records: AttachmentRecord[]; corrupt: CorruptRecordError[] }> {
    const records: AttachmentRecord[] = []
    const corrupt: CorruptRecordError[] = []
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      // Left by a write that was killed.
      if (name.endsWith('.tmp')) removeSmallFile(path)
      if (!name.endsWith('.json')) continue
      try {
        const record = this.#read(path)
        if (record === undefined) continue
        records.push(record)
        if (isOfPod(record) && !this.#pods.has(record.pod.uid)) this.#pods.set(record.pod.uid, keyOf(record))
      } catch (error) {
        if (!(error instanceof CorruptRecordError)) throw error
        corrupt.push(error)
      }
    }
    return { records, corrupt }
  }

  #read(path: string): AttachmentRecord | undefined {
    const text = findSmallFile(path)
    if (text === undefined) return undefined
    try {
      return parseRecord(text)
    } catch (cause) {
      throw new CorruptRecordError(`attachment record ${path} cannot be read: ${describeError(cause)}`, {
        fix: 'Restore the file, or remove it: the next DEL of the container then asks every network to detach it.',
        cause,
      })
    }
  }

  #render(record: AttachmentRecord): string {
    const boot = record.boot ?? this.#boot
    return renderRecord(boot === undefined ? record : { ...record, boot })
  }

  #pathOf(key: AttachmentKey): string {
    return join(this.#folder, nameOf(key))
  }
}

function isOfPod({ state, isWholePod, pod }: AttachmentRecord): boolean {
  return state === 'added' && isWholePod && pod.uid !== ''
}

function keyOf({ containerId, ifName }: AttachmentKey): AttachmentKey {
  return { containerId, ifName }
}

function nameOf(key: AttachmentKey): string {
  return `${key.containerId}@${encodeURIComponent(key.ifName)}.json`
}
