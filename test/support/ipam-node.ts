import { Calm } from '../../src/base/calm.ts'
import type { Clock } from '../../src/base/clock.ts'
import { type Cidr, familyOf, parseCidr } from '../../src/base/ip.ts'
import { silentLog } from '../../src/base/log.ts'
import type { Informer, KubeClient } from '../../src/kube/api.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { Assigner } from '../../src/networks/routed/ipam/assign.ts'
import { BlockStore } from '../../src/networks/routed/ipam/block-store.ts'
import { BlockView } from '../../src/networks/routed/ipam/block-view.ts'
import { HandleIndex } from '../../src/networks/routed/ipam/handle-index.ts'
import { releaseOwn } from '../../src/networks/routed/ipam/release.ts'
import { completeClaims } from '../../src/networks/routed/node/leftovers.ts'
import { type BlockAffinity, blockAffinities, type IPPool, ipamBlocks } from '../../src/networks/routed/resources.ts'

/** The address management of one process on one node. */
export interface IpamNode {
  readonly nodeName: string
  readonly store: BlockStore
  readonly handles: HandleIndex
  /** Family of the first pool. */
  assign(handleId: string, pools: readonly IPPool[], address?: string): Promise<string>
  release(handleId: string): Promise<void>
}

export interface IpamNodeOptions {
  readonly kube: KubeClient
  readonly nodeName: string
  readonly signal: AbortSignal
  readonly clock?: Clock
  /** @default Date.now */
  readonly now?: () => number
  readonly reserved?: readonly Cidr[]
}

/** As the agent starts it: copies filled, claims of an earlier process completed. */
export async function startIpamNode(options: IpamNodeOptions): Promise<IpamNode> {
  const { kube, nodeName, signal, clock, now = Date.now, reserved = [] } = options
  const blocks = createInformer(kube, ipamBlocks, { log: silentLog })
  const affinities: Informer<BlockAffinity> = createInformer(kube, blockAffinities, { log: silentLog })
  await Promise.all([blocks.start(signal), affinities.start(signal)])
  const view = new BlockView(blocks)
  const store = new BlockStore(kube, view, clock)
  const handles = new HandleIndex({ kube, view, log: silentLog, calm: new Calm() })
  const assigner = new Assigner({ kube, store, handles, nodeName, now, reserved: () => reserved })
  await completeClaims({ store, deps: { kube, nodeName } }, affinities)
  return {
    nodeName,
    store,
    handles,
    assign(handleId, pools, address) {
      const family = familyOf(parseCidr(pools[0]?.spec.cidr ?? '').network)
      const secondary = { node: nodeName, namespace: 'default', pod: handleId }
      return assigner.assign({ holder: { handleId, secondary }, family, pools, address })
    },
    release: (handleId) => releaseOwn({ store, handles }, handleId),
  }
}

/** Pools as kubectl would make them. */
export function testPool(name: string, cidr: string, blockSize: number): IPPool {
  return { metadata: { name }, spec: { cidr, blockSize } }
}
