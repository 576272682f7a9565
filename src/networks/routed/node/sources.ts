import { isDeepStrictEqual } from 'node:util'
import type { Unsubscribe } from '../../../base/observable.ts'
import type { Informer } from '../../../kube/api.ts'
import { createInformer } from '../../../kube/informer.ts'
import { type NamespaceResource, type NodeResource, namespaces } from '../../../kube/resources/core.ts'
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

/** Not what a kubelet writes with every heartbeat: of 5,000 nodes there would be one every few milliseconds. */
function onNodeChange({ nodes }: NodeDeps, listener: (node: NodeResource) => void): Unsubscribe {
  return nodes.on((event) => {
    if (event.type !== 'updated' || !isDeepStrictEqual(factsOf(event.before), factsOf(event.object))) {
      listener(event.object)
    }
  })
}

/** Everything of a node that this network looks at. */
function factsOf({ metadata, status }: NodeResource) {
  const { uid, labels, annotations, deletionTimestamp } = metadata
  return [uid, labels, annotations, deletionTimestamp, status?.addresses]
}

/** Says for each change which parts of the node it may change. */
export function subscribe(sources: BirdSources, change: (part: Part) => void): Unsubscribe {
  const { deps, pools, blocks, affinities, configurations, peers, filters } = sources
  const subscriptions = [
    pools.onChange(() => change('nft')),
    onNodeChange(deps, (node) => {
      if (node.metadata.name === deps.nodeName) change('address')
      change('bird')
      change('tunnels')
    }),
    // Every ADD writes a block; only whose it is matters to BGP.
    blocks.on((event) => {
      if (event.type !== 'updated' || ownerOf(event.before) !== ownerOf(event.object)) change('bird')
    }),
    ...[pools, affinities, configurations, peers, filters].map((each) => each.onChange(() => change('bird'))),
    ...[pools, affinities].map((each) => each.onChange(() => change('tunnels'))),
    blocks.on((event) => {
      if (event.type !== 'updated' || isElsewhere(event.before, event.object)) change('tunnels')
    }),
  ]
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe()
  }
}
