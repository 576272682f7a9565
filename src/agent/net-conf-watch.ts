import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { TwinlaneError } from '../base/errors.ts'
import { findFile } from '../base/file.ts'
import type { Log } from '../base/log.ts'
import { Workqueue } from '../base/workqueue.ts'
import { describeRival, findRivals } from './net-conf-rivals.ts'
import { type NetConfFile, writeNetConf } from './write-net-conf.ts'

export interface NetConfWatchOptions {
  readonly file: NetConfFile
  readonly log: Log
  /** Told each new problem once, and that somebody changed the file: for a person who looks at the node. */
  readonly warn: (message: string) => void
  readonly clock?: Clock
}

/** Against somebody who fights us for the file: more than this within the window, and we leave it to them for a while. */
const repairLimit = 5
const repairWindowMs = 60_000

/**
 * Keeps our file of net.d as it must be and says when a runtime would not take it. Driven by inotify; a file that
 * somebody keeps on changing is put back with growing pauses, so that two agents do not fight for ever.
 */
export class NetConfWatch {
  readonly #options: NetConfWatchOptions
  readonly #queue: Workqueue
  #watcher: FSWatcher | undefined
  #problems: readonly string[] = ['it is not written yet']
  #repairedAt: number[] = []
  #overwrites = 0

  constructor(options: NetConfWatchOptions) {
    this.#options = options
    this.#queue = new Workqueue({ name: 'net.d', log: options.log, settleMs: 20, reconcile: () => this.#reconcile() })
  }

  /** Why a runtime would not call us for a pod; empty when it does. */
  get problems(): readonly string[] {
    return this.#problems
  }

  /** How often somebody else changed or removed the file. */
  get overwrites(): number {
    return this.#overwrites
  }

  /** Writes the file and begins to watch. */
  async start(): Promise<void> {
    const { file } = this.#options
    await writeNetConf(file)
    this.#watch()
    await this.#look()
  }

  /** Resolves when what was noticed has been dealt with. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }

  async stop(): Promise<void> {
    this.#watcher?.close()
    await this.#queue.stop()
  }

  #watch(): void {
    const { file, log } = this.#options
    this.#watcher?.close()
    this.#watcher = watch(file.folder, () => this.#queue.add(file.name))
    this.#watcher.on('error', (error) => log.error({ error }, 'net.d cannot be watched any more'))
  }

  async #reconcile(): Promise<void> {
    const { folder, name, text } = this.#options.file
    if ((await findFile(join(folder, name))) !== text) await this.#repair()
    await this.#look()
  }

  async #repair(): Promise<void> {
    const { clock = systemClock, file, warn } = this.#options
    const now = clock.now()
    this.#repairedAt = this.#repairedAt.filter((at) => now - at < repairWindowMs)
    if (this.#repairedAt.length >= repairLimit) throw this.#giveWay()
    const found = await writeNetConf(file)
    if (found === 'right') return
    // The folder may be a new one: inotify watches what it was.
    this.#watch()
    this.#repairedAt.push(now)
    this.#overwrites++
    warn(`${file.name} was ${found === 'missing' ? 'removed' : 'overwritten'} by another program; put it back`)
  }

  /** The queue tries again, later and later. */
  #giveWay(): TwinlaneError {
    const problem = `another program keeps on changing it (${repairLimit} times within ${repairWindowMs / 1000} s)`
    this.#report([problem])
    return new TwinlaneError(`${this.#options.file.name}: ${problem}`, {
      fix: 'Find out which other meta-plugin writes to this folder, and remove it.',
    })
  }

  async #look(): Promise<void> {
    const { folder, name } = this.#options.file
    this.#report((await findRivals(folder, name)).map(describeRival))
  }

  #report(problems: readonly string[]): void {
    const { file, warn } = this.#options
    for (const problem of problems) if (!this.#problems.includes(problem)) warn(`${file.name}: ${problem}`)
    this.#problems = problems
  }
}
