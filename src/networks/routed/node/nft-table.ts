import type { Kernel } from '../../../kernel/kernel.ts'
import type { Informer } from '../../../kube/api.ts'
import type { IPPool } from '../resources.ts'
import { buildNft } from './build-nft.ts'

/** Keeps our table in the kernel at what the pools say. */
export class NftTable {
  readonly #options: { kernel: Kernel; pools: Informer<IPPool> }
  #applied: string | undefined

  constructor(options: { kernel: Kernel; pools: Informer<IPPool> }) {
    this.#options = options
  }

  async sync(): Promise<void> {
    const { kernel, pools } = this.#options
    const text = buildNft(pools.list())
    if (text === this.#applied) return
    await kernel.nft(undefined, text)
    this.#applied = text
  }
}
