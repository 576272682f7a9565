import { writeSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { type Deferred, defer } from '../base/clock.ts'
import type { KernelWatch } from './kernel.ts'
import type { WatchCommand, WatchReport, WatchSource } from './protocol.ts'
import { startWorker } from './worker-thread.ts'

interface Watch {
  readonly onEvent: (event: never) => void
  readonly onResync: () => void
  readonly removed: Deferred<void>
}

/** Speaks with the one thread that waits for changes, for all watches of a process. */
export class WatchClient {
  readonly #watches = new Map<number, Watch>()
  readonly #started = defer<number>()
  #worker: Worker | undefined
  #lastId = 0

  /** Watches the socket that `open` makes; its subject decides what the events are. */
  add<Event>(
    open: () => Promise<WatchSource>,
    listener: { onEvent: (event: Event) => void; onResync: () => void },
  ): KernelWatch {
    const id = ++this.#lastId
    const ready = this.#open(id, { open, ...listener })
    ready.catch(() => {})
    return { ready, close: () => this.#remove(id, ready) }
  }

  /** Ends all watches and the thread. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    const ended = defer()
    worker.once('exit', () => ended.resolve())
    worker.ref()
    await this.#tell({ kind: 'stop' })
    await ended.promise
  }

  async #open(
    id: number,
    options: { open: () => Promise<WatchSource>; onEvent: (event: never) => void; onResync: () => void },
  ): Promise<void> {
    const source = await options.open()
    this.#running()
    this.#watches.set(id, { onEvent: options.onEvent, onResync: options.onResync, removed: defer() })
    await this.#tell({ kind: 'add', id, ...source })
  }

  async #remove(id: number, ready: Promise<void>): Promise<void> {
    await ready.catch(() => {})
    const watch = this.#watches.get(id)
    if (watch === undefined) return
    this.#worker?.ref()
    await this.#tell({ kind: 'remove', id })
    await watch.removed.promise
    this.#worker?.unref()
  }

  async #tell(command: WatchCommand): Promise<void> {
    const wakeFd = await this.#started.promise
    if (this.#worker === undefined) return
    this.#worker.postMessage(command)
    writeSync(wakeFd, new BigUint64Array([1n]))
  }

  #running(): void {
    if (this.#worker !== undefined) return
    const worker = startWorker('watches')
    // An error of this thread is left without a listener, so it ends the process: going on deaf would be worse.
    worker.on('message', (report: WatchReport) => this.#hear(report))
    worker.on('exit', () => this.#lose())
    this.#worker = worker
  }

  #hear(report: WatchReport): void {
    if (report.kind === 'started') {
      // Not earlier: the start of a worker references it again.
      this.#worker?.unref()
      this.#started.resolve(report.wakeFd)
      return
    }
    const watch = this.#watches.get(report.id)
    if (report.kind === 'events') for (const event of report.events) watch?.onEvent(event as never)
    else if (report.kind === 'overrun') watch?.onResync()
    else this.#forget(report.id)
  }

  #forget(id: number): void {
    this.#watches.get(id)?.removed.resolve()
    this.#watches.delete(id)
  }

  #lose(): void {
    this.#worker = undefined
    for (const id of [...this.#watches.keys()]) this.#forget(id)
  }
}
