import { isDeepStrictEqual } from 'node:util'
import { Semaphore } from '../../../../base/keyed-lock.ts'
import type { Kernel } from '../../../../kernel/kernel.ts'
import { buildElementChange, senderRemoval, senderTables } from './build-senders.ts'
import { sendersOf } from './elements.ts'
import { deviceOfElement, elementNames, readSenders } from './read-senders.ts'

export interface SenderTablesOptions {
  readonly kernel: Kernel
  /** Somebody else had changed the tables. */
  readonly onRepair: () => void
}

/**
 * Keeps the tables of what pods may send. An ADD adds its pod's elements itself; those of pods that are gone, whose
 * interface's index no other gets, are removed with time.
 */
export class SenderTables {
  readonly #options: SenderTablesOptions
  /** What the kernel made of the rules. */
  #rules: unknown
  readonly #turn = new Semaphore(1)

  constructor(options: SenderTablesOptions) {
    this.#options = options
  }

  sync(): Promise<void> {
    return this.#turn.run(() => this.#sync())
  }

  async #sync(): Promise<void> {
    const { kernel, onRepair } = this.#options
    const before = await this.#wanted()
    const state = await readSenders(kernel)
    if (state === undefined || !isDeepStrictEqual(state.rules, this.#rules)) return await this.#write(before)
    const after = await this.#wanted()
    const missing = [...before].filter((name) => after.has(name) && !state.elements.has(name))
    // Those of an ADD meanwhile are in `after` only.
    const stale = [...state.elements].filter((name) => !before.has(name) && !after.has(name))
    if (missing.length + stale.length === 0) return
    await kernel.nft(undefined, buildElementChange('add', missing) + buildElementChange('delete', stale))
    const devices = new Set([...after].map(deviceOfElement))
    if ([...missing, ...stale].some((name) => devices.has(deviceOfElement(name)))) onRepair()
  }

  /** Both tables anew, in one transaction; then what an ADD has added to the old ones meanwhile. */
  async #write(names: ReadonlySet<string>): Promise<void> {
    const { kernel, onRepair } = this.#options
    const isRepair = this.#rules !== undefined
    await kernel.nft(undefined, senderRemoval + senderTables + buildElementChange('add', names))
    const late = [...(await this.#wanted())].filter((name) => !names.has(name))
    if (late.length > 0) await kernel.nft(undefined, buildElementChange('add', late))
    this.#rules = (await readSenders(kernel))?.rules
    if (isRepair) onRepair()
  }

  async #wanted(): Promise<ReadonlySet<string>> {
    return elementNames(sendersOf(await this.#options.kernel.links(undefined)))
  }
}
