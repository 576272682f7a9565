import { isDeepStrictEqual } from 'node:util'
import type { Unsubscribe } from '../../../base/observable.ts'
import type { Informer } from '../../../kube/api.ts'
import { createInformer } from '../../../kube/informer.ts'
import { type NamespaceResource, namespaces } from '../../../kube/resources/core.ts'
import type { KubeObject, ResourceType } from '../../../kube/resources/meta.ts'
import type { NodeDeps } from '../../driver.ts'
import { ownerOf } from '../ipam/block.ts'
import {
  bgpConfigurations,
  bgpFilters,
  bgpPeers,
  blockAffinities,
  type IPAMBlock,
  type IPReservation,
  ipamBlocks,
  ipPools,
  ipReservations,
} from '../resources.ts'
import { borrowedIn } from '../tunnels/placements.ts'
import type { BirdSources } from './bird-sync.ts'
import type { Part } from './parts.ts'

export interface NodeSources extends BirdSources {
  readonly namespaces: Informer<NamespaceResource>
  readonly reservations: Informer<IPReservation>
}

/** Caches of everything in the cluster that decides what this node does. */
export function createSources(deps: NodeDeps): NodeSources {
  const informer = <T extends KubeObject>(type: ResourceType<T>): Informer<T> =>
    createInformer(deps.kube, type, { log: deps.log })
  return {
    deps,
    pools: informer(ipPools),
    blocks: informer(ipamBlocks),
    affinities: informer(blockAffinities),
    configurations: informer(bgpConfigurations),
    peers: informer(bgpPeers),
    filters: informer(bgpFilters),
    namespaces: informer(namespaces),
    reservations: informer(ipReservations),
  }
}

/** Resolves when all are filled; those of the process are filled already. */
export async function startSources({ deps: _, ...own }: NodeSources, signal: AbortSignal): Promise<void> {
  await Promise.all(Object.values(own).map((each) => each.start(signal)))
}

/** Every ADD writes a block; only its owner and what other nodes have borrowed matter to tunnels. */
function isElsewhere(before: IPAMBlock, after: IPAMBlock): boolean {
  return ownerOf(before) !== ownerOf(after) || !isDeepStrictEqual(borrowedIn(before), borrowedIn(after))
}

/** Says for each change which parts of the node it may change. */
export function subscribe(sources: BirdSources, change: (part: Part) => void): Unsubscribe {
  const { deps, pools, blocks, affinities, configurations, peers, filters } = sources
  const subscriptions = [
    pools.onChange(() => change('nft')),
    deps.nodes.onChange(() => change('address')),
    // Every ADD writes a block; only whose it is matters to BGP.
    blocks.on((event) => {
      if (event.type !== 'updated' || ownerOf(event.before) !== ownerOf(event.object)) change('bird')
    }),
    ...[pools, affinities, configurations, peers, filters, deps.nodes].map((each) =>
      each.onChange(() => change('bird')),
    ),
    ...[pools, affinities, deps.nodes].map((each) => each.onChange(() => change('tunnels'))),
    blocks.on((event) => {
      if (event.type !== 'updated' || isElsewhere(event.before, event.object)) change('tunnels')
    }),
  ]
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe()
  }
}
