import { writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { type Deferred, defer } from '../../../base/clock.ts'

export interface AppendLogOptions {
  path: string
  /** Every intact record found on open, oldest first. */
  onRecord: (record: unknown) => void
  /** The log is folded away beyond this size. */
  compactAtBytes: number
  /** Saves the state elsewhere, including records that are still pending here; then the file is emptied. */
  compact: () => Promise<void>
}

/**
 * An append-only file of JSON lines, each led by the CRC-32 of its text. Appends of one moment share one write and one
 * fdatasync (group commit). A torn or damaged tail, which only a crash before the fdatasync leaves, is cut off on open.
 */
export class AppendLog {
  readonly #file: FileHandle
  readonly #options: AppendLogOptions
  /** Bytes of a torn tail that were cut off on open. */
  readonly droppedBytes: number
  #size: number
  #pending: string[] = []
  #next: Deferred<void> = quietDefer()
  #inFlight: Promise<void> = Promise.resolve()
  #loop: Promise<void> | undefined
  #failure: unknown

  private constructor(file: FileHandle, options: AppendLogOptions, size: number, droppedBytes: number) {
    this.#file = file
    this.#options = options
    this.#size = size
    this.droppedBytes = droppedBytes
  }

  static async open(options: AppendLogOptions): Promise<AppendLog> {
    const file = await open(options.path, 'a+', 0o600)
    const content = await file.readFile()
    const size = replay(content, options.onRecord)
    if (size < content.length) await file.truncate(size)
    return new AppendLog(file, options, size, content.length - size)
  }

  /** Resolves when the record, as JSON text, is on the disk. Once a write has failed every later one fails too. */
  append(json: string): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    this.#pending.push(renderLine(json))
    const { promise } = this.#next
    this.#loop ??= this.#flushAll()
    return promise
  }

  /** Resolves when everything appended so far is on the disk. */
  settled(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return this.#pending.length > 0 ? this.#next.promise : this.#inFlight
  }

  async close(): Promise<void> {
    await this.#loop
    await this.#file.close()
  }

  async #flushAll(): Promise<void> {
    await undefined
    while (this.#pending.length > 0) {
      const text = this.#pending.join('')
      const batch = this.#next
      this.#pending = []
      this.#next = quietDefer()
      this.#inFlight = batch.promise
      await this.#write(text).then(batch.resolve, (error: unknown) => this.#fail(error, batch))
    }
    this.#loop = undefined
  }

  async #write(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    // Into the page cache: a trip to the thread pool would cost more.
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file.fd, bytes, at)
    await this.#file.datasync()
    this.#size += bytes.length
    if (this.#size < this.#options.compactAtBytes) return
    await this.#options.compact()
    await this.#file.truncate(0)
    this.#size = 0
  }

  #fail(error: unknown, batch: Deferred<void>): void {
    this.#failure = error
    this.#pending = []
    batch.reject(error)
    this.#next.reject(error)
  }
}

/** One line of the file: eight hex digits of CRC, a space, the JSON text. */
export function renderLine(json: string): string {
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

/** Reads lines up to the first one that is damaged; returns how many bytes were good. */
export function replay(content: Buffer, onRecord: (record: unknown) => void): number {
  let offset = 0
  for (;;) {
    const end = content.indexOf(0x0a, offset)
    if (end < 0) return offset
    const json = content.subarray(offset + 9, end)
    const crc = content.subarray(offset, offset + 8).toString('latin1')
    if (end - offset < 10 || crc !== crc32(json).toString(16).padStart(8, '0')) return offset
    onRecord(JSON.parse(json.toString('utf8')))
    offset = end + 1
  }
}

/** A rejection that nobody waits for must not end the process. */
function quietDefer(): Deferred<void> {
  const deferred = defer()
  deferred.promise.catch(() => {})
  return deferred
}
