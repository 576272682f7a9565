import { type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { defer } from '../../../base/clock.ts'
import { errorCode } from '../../../base/errors.ts'
import type { Changing } from '../../../base/observable.ts'
import { LineSplitter, type LogOptions, parseLogLine, renderLogEntry, selectEntries } from './log-lines.ts'

const chunkBytes = 256 * 1024

export interface LogSource {
  readonly path: string
  /** Whether the container may still write. */
  isOpen(): boolean
  /** Says when `isOpen` may have changed. */
  readonly ends: Changing
}

/** The text of a container's log; with `follow` until the container has ended or the signal aborts. */
export async function* readContainerLog(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let leftBytes = options.limitBytes ?? Number.POSITIVE_INFINITY
  for await (const text of readText(source, options, signal)) {
    const bytes = Buffer.byteLength(text)
    yield bytes <= leftBytes ? text : Buffer.from(text).subarray(0, leftBytes).toString()
    leftBytes -= bytes
    if (leftBytes <= 0) return
  }
}

async function* readText(source: LogSource, options: LogOptions, signal: AbortSignal): AsyncGenerator<string> {
  const file = await openLog(source.path)
  if (file === undefined) return
  const changes = options.follow ? new LogChanges(source) : undefined
  const splitter = new LineSplitter()
  const render = (lines: string[]): string => {
    const entries = lines.map(parseLogLine).filter((entry) => entry !== undefined)
    return entries.map((entry) => renderLogEntry(entry, options)).join('')
  }
  try {
    const wasOpen = source.isOpen()
    const present = splitter.push(await readRest(file)).map(parseLogLine)
    const wanted = selectEntries(
      present.filter((entry) => entry !== undefined),
      options,
    )
    yield wanted.map((entry) => renderLogEntry(entry, options)).join('')
    let isOpen = changes !== undefined && wasOpen
    while (isOpen && !signal.aborted) {
      await changes?.next(signal)
      // Asked before reading: what was written before the end is then surely read.
      isOpen = source.isOpen()
      yield render(splitter.push(await readRest(file)))
    }
  } finally {
    changes?.close()
    await file.close()
  }
}

async function openLog(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function readRest(file: FileHandle): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes)
    if (bytesRead === 0) return Buffer.concat(chunks)
    chunks.push(buffer.subarray(0, bytesRead))
  }
}

/** Remembers a change between two waits, so that none is missed. */
class LogChanges {
  readonly #watcher: FSWatcher
  readonly #unsubscribe: () => void
  #change = defer()

  constructor(source: LogSource) {
    this.#watcher = watch(source.path, () => this.#change.resolve())
    this.#watcher.on('error', () => this.#change.resolve())
    this.#unsubscribe = source.ends.onChange(() => this.#change.resolve())
  }

  async next(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#change.resolve()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    await this.#change.promise
    signal.removeEventListener('abort', stop)
    this.#change = defer()
  }

  close(): void {
    this.#watcher.close()
    this.#unsubscribe()
  }
}
