import { renderBirdConfig } from '../src/bird/render.ts'
import type { NodeResource } from '../src/kube/resources/core.ts'
import type { BgpNodes } from '../src/networks/routed/bgp/bgp-nodes.ts'
import { buildBirdConfig } from '../src/networks/routed/bgp/build-config.ts'
import { findMistakes } from '../src/networks/routed/bgp/find-mistakes.ts'
import { ownBlocks, wantedSessions } from '../src/networks/routed/node/bird-sync.ts'
import type { BGPConfiguration, BGPPeer, BlockAffinity, IPAMBlock, IPPool } from '../src/networks/routed/resources.ts'

export const podsPerNode = 20

export type Topology = 'mesh' | 'two route reflectors'

/** What the API server has of a cluster. */
export interface Cluster {
  readonly nodes: NodeResource[]
  readonly configurations: readonly BGPConfiguration[]
  readonly peers: readonly BGPPeer[]
  readonly pools: readonly IPPool[]
  readonly blocks: readonly IPAMBlock[]
  readonly affinities: readonly BlockAffinity[]
}

/** The text of one node's BIRD configuration, as its agent makes it. `bgpNodes` is what the agent keeps in between. */
export function compute(cluster: Cluster, nodeName: string, bgpNodes: BgpNodes): string {
  const cache = <T>(objects: readonly T[]) => ({ list: () => objects })
  const deps = { nodeName, nodes: cache(cluster.nodes) }
  const sources = { deps, bgpNodes, configurations: cache(cluster.configurations), peers: cache(cluster.peers) }
  const wanted = wantedSessions(sources)
  if (wanted === undefined) throw new Error(`${nodeName} has no address`)
  const { local, nodes, settings, selected } = wanted
  findMistakes({ local, nodes, sessions: selected.sessions, isMeshEnabled: settings.isMeshEnabled })
  const own = ownBlocks({ deps, blocks: cache(cluster.blocks), affinities: cache(cluster.affinities) })
  return renderBirdConfig(
    buildBirdConfig({
      ...{ local, settings, pools: cluster.pools, filters: [], serviceRoutes: [] },
      ...{ sessions: selected.sessions, ownBlocks: own },
    }),
  )
}

/** Nodes `node-0`, `node-1` … with a block and 20 pods each; with reflectors the first two are these. */
export function createCluster(size: number, topology: Topology): Cluster {
  const isReflector = (index: number): boolean => topology !== 'mesh' && index < 2
  const indexes = Array.from({ length: size }, (_, index) => index)
  return {
    nodes: indexes.map((index) => createNode(index, isReflector(index))),
    configurations: [{ metadata: { name: 'default' }, spec: { nodeToNodeMeshEnabled: topology === 'mesh' } }],
    peers:
      topology === 'mesh'
        ? []
        : [{ metadata: { name: 'rrs' }, spec: { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" } }],
    pools: [{ metadata: { name: 'pool' }, spec: { cidr: '10.96.0.0/11', blockSize: 26 } }],
    blocks: indexes.map((index) => createBlock(cidrOf(index), index)),
    affinities: indexes.map((index) => createAffinity(cidrOf(index), index)),
  }
}

/** Of the node with this number, in 172.16.0.0/16. */
export function addressOf(index: number): string {
  return `172.16.${(index + 1) >> 8}.${(index + 1) & 255}`
}

/** The block with this number. */
export function cidrOf(index: number): string {
  return `10.${100 + (index >> 10)}.${(index >> 2) & 255}.${(index & 3) * 64}/26`
}

function createNode(index: number, isReflector: boolean): NodeResource {
  const address = addressOf(index)
  const name = `node-${index}`
  return {
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        zone: `z${index % 3}`,
        ...(isReflector ? { 'route-reflector': 'true' } : {}),
      },
      annotations: {
        'projectcalico.org/IPv4Address': `${address}/16`,
        ...(isReflector ? { 'projectcalico.org/RouteReflectorClusterID': address } : {}),
      },
    },
  }
}

/** A block of the node with this number. */
export function createBlock(cidr: string, index: number): IPAMBlock {
  const used = Array.from({ length: podsPerNode }, (_, pod) => pod)
  return {
    metadata: { name: cidr.replaceAll(/[./]/g, '-') },
    spec: {
      cidr,
      affinity: `host:node-${index}`,
      allocations: Array.from({ length: 64 }, (_, ordinal) => (ordinal < podsPerNode ? ordinal : null)),
      unallocated: Array.from({ length: 64 - podsPerNode }, (_, free) => free + podsPerNode),
      attributes: used.map((pod) => ({
        handle_id: `k8s-pod-network.${index}-${pod}`,
        secondary: { node: `node-${index}`, namespace: 'default', pod: `pod-${index}-${pod}` },
      })),
      strictAffinity: false,
    },
  }
}

/** The claim of that block. */
export function createAffinity(cidr: string, index: number): BlockAffinity {
  const name = `node-${index}-${cidr.replaceAll(/[./]/g, '-')}`
  return { metadata: { name }, spec: { node: `node-${index}`, cidr, state: 'confirmed' } }
}
