import { type FSWatcher, watch } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { describeError, errorCode } from '../../../base/errors.ts'
import { Semaphore } from '../../../base/keyed-lock.ts'
import type { Log } from '../../../base/log.ts'
import { type Changing, Emitter, type Unsubscribe } from '../../../base/observable.ts'
import { parseConfigList } from '../../../cni/config.ts'
import type { NetworkConfigList } from '../../../cni/request.ts'

const extensions = new Set(['.conf', '.conflist', '.json'])

/** The network of new sandboxes: the first valid file by name in `net.d`, as container runtimes choose it. */
export class NetworkConfigFolder implements Changing {
  readonly #folder: string
  readonly #log: Log
  readonly #changes = new Emitter<void>()
  /** One reading after the other: an older one must not end last. */
  readonly #turn = new Semaphore(1)
  #current: NetworkConfigList | undefined
  #watcher: FSWatcher | undefined

  constructor(options: { folder: string; log: Log }) {
    this.#folder = options.folder
    this.#log = options.log
  }

  /** Undefined as long as the folder holds no valid file: then the node is not ready. */
  get current(): NetworkConfigList | undefined {
    return this.#current
  }

  onChange(listener: () => void): Unsubscribe {
    return this.#changes.on(listener)
  }

  /** Reads the folder, which must exist, and goes on watching it until the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const lost = (error: unknown): void => this.#log.error({ error }, 'lost sight of the CNI configuration folder')
    this.#watcher = watch(this.#folder, () => void this.#turn.run(() => this.#read()).catch(lost))
    this.#watcher.on('error', lost)
    signal.addEventListener('abort', () => this.#watcher?.close(), { once: true })
    await this.#turn.run(() => this.#read())
  }

  async #read(): Promise<void> {
    const next = await findNetworkConfig(this.#folder, this.#log)
    if (JSON.stringify(next) === JSON.stringify(this.#current)) return
    this.#current = next
    this.#log.info({ network: next?.name ?? null }, 'CNI configuration changed')
    this.#changes.emit()
  }
}

/** The first file by name that parses; a file that does not is said in the log and passed over. */
export async function findNetworkConfig(folder: string, log: Log): Promise<NetworkConfigList | undefined> {
  const names = (await readdir(folder)).filter((name) => extensions.has(extname(name))).sort()
  for (const name of names) {
    const path = join(folder, name)
    try {
      return parseConfigList(await readFile(path, 'utf8'))
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') log.warn({ path, error: describeError(error) }, 'passed over a CNI file')
    }
  }
  return undefined
}
