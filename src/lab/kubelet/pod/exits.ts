import { type FSWatcher, watch } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'

/** How a container ended. */
export interface ContainerExit {
  readonly id: string
  readonly exitCode: number
  readonly finishedAtMs: number
}

/** Hears of every container that ends, by the file that its conmon leaves; also of those that ended before. */
export class ExitWatch {
  readonly #folder: string
  readonly #log: Log
  readonly #onExit: (exit: ContainerExit) => Promise<void>
  #watcher: FSWatcher | undefined

  constructor(options: { folder: string; log: Log; onExit: (exit: ContainerExit) => Promise<void> }) {
    this.#folder = options.folder
    this.#log = options.log
    this.#onExit = options.onExit
  }

  /** Resolves when the exits that are there already have been told. */
  async start(signal: AbortSignal): Promise<void> {
    this.#watcher = watch(this.#folder, (_event, name) => {
      if (name !== null) void this.#tell(name)
    })
    signal.addEventListener('abort', () => this.#watcher?.close(), { once: true })
    await Promise.all((await readdir(this.#folder)).map((name) => this.#tell(name)))
  }

  async #tell(name: string): Promise<void> {
    try {
      const exit = await findExit(this.#folder, name)
      if (exit !== undefined) await this.#onExit(exit)
    } catch (error) {
      this.#log.error({ error, container: name }, 'cannot take note of a container that ended')
    }
  }
}

/** conmon writes under another name and renames, so a file named like a container is whole; it may be gone again. */
async function findExit(folder: string, name: string): Promise<ContainerExit | undefined> {
  if (!/^[0-9a-f]{64}$/.test(name)) return undefined
  const path = join(folder, name)
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    if (text.trim() === '') return undefined
    return { id: name, exitCode: Number(text), finishedAtMs: Math.round(mtimeMs) }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
