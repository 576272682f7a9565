import { isDeepStrictEqual } from 'node:util'
import { errorCode } from '../../../base/errors.ts'
import { Semaphore } from '../../../base/keyed-lock.ts'
import type { Kernel } from '../../../kernel/kernel.ts'
import type { Informer } from '../../../kube/api.ts'
import type { IPPool } from '../resources.ts'
import { buildNft, nftTable } from './build-nft.ts'
import { floatingAddresses } from './floating.ts'

export interface NftTableOptions {
  readonly kernel: Kernel
  readonly pools: Informer<IPPool>
  /** Somebody else had changed the table. */
  readonly onRepair: () => void
}

/** Keeps our table in the kernel at what the pools and the floating addresses of the pods here say. */
export class NftTable {
  readonly #options: NftTableOptions
  #applied: string | undefined
  /** What the kernel made of it. */
  #seen: unknown
  #isSuspected = false
  #hasFloating = false
  /** What was read first must not be written last. */
  readonly #turn = new Semaphore(1)

  constructor(options: NftTableOptions) {
    this.#options = options
  }

  /** The kernel says that the table has changed: by us, or by somebody else. The next `sync` looks. */
  suspect(): void {
    this.#isSuspected = true
  }

  /** Some pod here has, or had at the last look, a floating address. */
  get hasFloating(): boolean {
    return this.#hasFloating
  }

  sync(): Promise<void> {
    return this.#turn.run(() => this.#sync())
  }

  async #sync(): Promise<void> {
    const { kernel, pools, onRepair } = this.#options
    const floating = floatingAddresses(await kernel.links(undefined))
    this.#hasFloating = floating.length > 0
    const text = buildNft(pools.list(), floating)
    const isRepair = text === this.#applied
    if (isRepair && !(await this.#isChanged())) return
    await kernel.nft(undefined, text)
    this.#applied = text
    this.#seen = await readTable(kernel)
    if (isRepair) onRepair()
  }

  async #isChanged(): Promise<boolean> {
    if (!this.#isSuspected) return false
    this.#isSuspected = false
    return !isDeepStrictEqual(await readTable(this.#options.kernel), this.#seen)
  }
}

/** The table without what changes by itself or at each writing: counters, handles. */
async function readTable(kernel: Kernel): Promise<unknown> {
  try {
    const list = await kernel.nftList(undefined, `list table ${nftTable}`)
    return JSON.parse(
      JSON.stringify(list, (key, value: unknown) => (['handle', 'packets', 'bytes'].includes(key) ? undefined : value)),
    )
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
