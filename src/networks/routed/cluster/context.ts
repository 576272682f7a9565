import type { Informer } from '../../../kube/api.ts'
import { createInformer } from '../../../kube/informer.ts'
import type { ClusterDeps } from '../../driver.ts'
import { BlockStore } from '../ipam/block-store.ts'
import { BlockView } from '../ipam/block-view.ts'
import { type BlockAffinity, blockAffinities, type IPAMBlock, type IPPool, ipamBlocks, ipPools } from '../resources.ts'

/** What the cluster side works with. */
export interface ClusterContext {
  readonly deps: ClusterDeps
  readonly blocks: Informer<IPAMBlock>
  readonly affinities: Informer<BlockAffinity>
  readonly pools: Informer<IPPool>
  readonly store: BlockStore
}

export function createContext(deps: ClusterDeps): ClusterContext {
  const { kube, log } = deps
  const blocks = createInformer(kube, ipamBlocks, { log })
  return {
    deps,
    blocks,
    affinities: createInformer(kube, blockAffinities, { log }),
    pools: createInformer(kube, ipPools, { log }),
    store: new BlockStore(kube, new BlockView(blocks)),
  }
}
