import type { Informer } from '../../../kube/api.ts'
import type { NodeDeps } from '../../driver.ts'
import type { BgpNodes } from '../bgp/bgp-nodes.ts'
import { bgpSettings } from '../bgp/bgp-settings.ts'
import { buildBirdConfig } from '../bgp/build-config.ts'
import { findIsolation, findOddities } from '../bgp/find-mistakes.ts'
import { holdOf } from '../bgp/hold-routes.ts'
import { type BgpSession, type PeerProblem, selectPeers } from '../bgp/select-peers.ts'
import { serviceRoutes } from '../bgp/service-routes.ts'
import { isConfirmed } from '../ipam/affinity.ts'
import { ownerOf } from '../ipam/block.ts'
import { findUnroutedPools } from '../ipam/unrouted-pools.ts'
import type { BGPConfiguration, BGPFilter, BGPPeer, BlockAffinity, IPAMBlock, IPPool } from '../resources.ts'
import type { Passwords } from './passwords.ts'
import type { ServiceSource } from './service-source.ts'
import type { SteadyBird } from './steady-bird.ts'

export interface BirdSources {
  readonly deps: NodeDeps
  readonly pools: Informer<IPPool>
  readonly blocks: Informer<IPAMBlock>
  readonly affinities: Informer<BlockAffinity>
  readonly configurations: Informer<BGPConfiguration>
  readonly peers: Informer<BGPPeer>
  readonly filters: Informer<BGPFilter>
}

export interface BirdState {
  readonly problems: readonly PeerProblem[]
  /** Why this node cannot learn the routes of others; part of the mistakes. */
  readonly isolation: readonly string[]
  readonly mistakes: readonly string[]
  readonly sessions: readonly BgpSession[]
}

export interface SessionSources {
  readonly deps: { readonly nodeName: string; readonly nodes: Pick<NodeDeps['nodes'], 'list'> }
  readonly bgpNodes: BgpNodes
  readonly configurations: Pick<Informer<BGPConfiguration>, 'list'>
  readonly peers: Pick<Informer<BGPPeer>, 'list'>
}

/** Of a node that takes no part in BGP. */
export const noState: BirdState = { problems: [], isolation: [], mistakes: [], sessions: [] }

/**
 * Brings this node's BIRD to what the cluster says, but for `carried`, prefixes that tunnels lead to. Without an address
 * the node takes no part in BGP yet.
 */
export async function syncBird(
  sources: BirdSources & {
    readonly bgpNodes: BgpNodes
    readonly carried: readonly string[]
    readonly passwords: Passwords
    readonly serviceSource: ServiceSource
  },
  bird: SteadyBird,
  signal: AbortSignal,
): Promise<BirdState> {
  const { deps, pools, peers, configurations } = sources
  const wanted = wantedSessions(sources)
  if (wanted === undefined) return noState
  const { local, nodes, settings, selected } = wanted
  const { passwords, sessions, problems } = await sources.passwords.of(selected.sessions, peers.list(), signal)
  const isAnnouncing = Object.values(settings.servicePrefixes).flat().length > 0
  const known = await sources.serviceSource.read(isAnnouncing, signal)
  const node = deps.nodes.get(deps.nodeName)
  const config = buildBirdConfig({
    local,
    serviceRoutes: serviceRoutes({ node, prefixes: settings.servicePrefixes, ...known }),
    sessions,
    ownBlocks: ownBlocks(sources),
    pools: pools.list(),
    carried: sources.carried,
    filters: sources.filters.list(),
    settings,
    passwords,
  })
  await bird.apply(config, signal, holdOf(configurations.list()))
  const facts = { local, nodes, sessions: selected.sessions, isMeshEnabled: settings.isMeshEnabled }
  const isolation = findIsolation(facts)
  return {
    problems: [...selected.problems, ...problems],
    isolation,
    mistakes: [...isolation, ...findOddities(facts), ...findUnroutedPools({ local, nodes, pools: pools.list() })],
    sessions,
  }
}

/** What the cluster says of this node's sessions; undefined while the node has no address. */
export function wantedSessions({ deps, bgpNodes, configurations, peers }: SessionSources) {
  const nodes = bgpNodes.of(deps.nodes.list(), configurations.list())
  const local = nodes.find(({ name }) => name === deps.nodeName)
  if (local === undefined || Object.keys(local.addresses).length === 0) return undefined
  const settings = bgpSettings(configurations.list(), deps.nodeName)
  const { isMeshEnabled, mesh, asNumber: clusterAsNumber } = settings
  const selected = selectPeers({ local, nodes, peers: peers.list(), isMeshEnabled, mesh, clusterAsNumber })
  return { local, nodes, settings, selected }
}

/** The block says whose it is, the affinity that the claim is complete; only both together are routed. */
export function ownBlocks({
  deps,
  blocks,
  affinities,
}: {
  deps: Pick<NodeDeps, 'nodeName'>
  blocks: Pick<Informer<IPAMBlock>, 'list'>
  affinities: Pick<Informer<BlockAffinity>, 'list'>
}): string[] {
  const confirmed = new Set(
    affinities
      .list()
      .filter((affinity) => affinity.spec.node === deps.nodeName && isConfirmed(affinity))
      .map(({ spec }) => spec.cidr),
  )
  return blocks
    .list()
    .filter((block) => ownerOf(block) === deps.nodeName && block.spec.deleted !== true)
    .map(({ spec }) => spec.cidr)
    .filter((cidr) => confirmed.has(cidr))
}
