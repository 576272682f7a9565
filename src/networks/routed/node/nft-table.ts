import type { Kernel } from '../../../kernel/kernel.ts'
import type { Informer } from '../../../kube/api.ts'
import { type IPPool, ipPools } from '../resources.ts'
import { buildNft } from './build-nft.ts'
import type { Reports } from './reports.ts'

/** Keeps our table in the kernel at what the pools say. */
export class NftTable {
  readonly #options: { kernel: Kernel; pools: Informer<IPPool>; reports: Reports }
  #applied: string | undefined

  constructor(options: { kernel: Kernel; pools: Informer<IPPool>; reports: Reports }) {
    this.#options = options
  }

  async sync(): Promise<void> {
    const { kernel, pools } = this.#options
    for (const pool of pools.list()) this.#checkEncapsulation(pool)
    const text = buildNft(pools.list())
    if (text === this.#applied) return
    await kernel.nft(undefined, text)
    this.#applied = text
  }

  #checkEncapsulation(pool: IPPool): void {
    const { ipipMode = 'Never', vxlanMode = 'Never' } = pool.spec
    if (ipipMode === 'Never' && vxlanMode === 'Never') return
    const message = 'pods of this pool are routed without encapsulation; set ipipMode and vxlanMode to Never'
    this.#options.reports.ofObject({ type: ipPools, object: pool }, 'NoEncapsulation', message)
  }
}
