import { renderBirdConfig } from '../src/bird/render.ts'
import type { NodeResource } from '../src/kube/resources/core.ts'
import { BgpNodes } from '../src/networks/routed/bgp/bgp-nodes.ts'
import { buildBirdConfig } from '../src/networks/routed/bgp/build-config.ts'
import { findMistakes } from '../src/networks/routed/bgp/find-mistakes.ts'
import { ownBlocks, wantedSessions } from '../src/networks/routed/node/bird-sync.ts'
import type { BGPConfiguration, BGPPeer, BlockAffinity, IPAMBlock, IPPool } from '../src/networks/routed/resources.ts'
import type { Bench, Report } from './bench.ts'
import { percentile } from './statistics.ts'

const sizes = [100, 1000, 5000]
const podsPerNode = 20
const rounds = 15

type Topology = 'mesh' | 'two route reflectors'

/** What one node computes for BGP from the caches of a cluster, in processor time: everything, and one change. */
export const bgpCompute: Bench = async (report) => {
  for (const topology of ['two route reflectors', 'mesh'] as const) {
    for (const size of sizes) measure(report, size, topology)
  }
}

function measure(report: Report, size: number, topology: Topology): void {
  const cluster = createCluster(size, topology)
  const name = `${size} nodes, ${size * podsPerNode} pods, ${topology}`
  const everything = times(() => compute(cluster, new BgpNodes()))
  report(`sessions, model and text of one node: ${name}, p50`, percentile(everything, 50), 'ms')
  const warm = new BgpNodes()
  compute(cluster, warm)
  const change = times((round) => {
    relabel(cluster, round)
    compute(cluster, warm)
  })
  report(`the same after one node has changed: ${name}, p50`, percentile(change, 50), 'ms')
}

interface Cluster {
  readonly nodes: NodeResource[]
  readonly configurations: readonly BGPConfiguration[]
  readonly peers: readonly BGPPeer[]
  readonly pools: readonly IPPool[]
  readonly blocks: readonly IPAMBlock[]
  readonly affinities: readonly BlockAffinity[]
}

/** As an agent does it, without BIRD. */
function compute(cluster: Cluster, bgpNodes: BgpNodes): string {
  const cache = <T>(objects: readonly T[]) => ({ list: () => objects })
  const deps = { nodeName: 'node-7', nodes: cache(cluster.nodes) }
  const sources = { deps, bgpNodes, configurations: cache(cluster.configurations), peers: cache(cluster.peers) }
  const wanted = wantedSessions(sources)
  if (wanted === undefined) throw new Error('node-7 has no address')
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

/** Milliseconds of processor time of each round, after some that do not count. */
function times(work: (round: number) => unknown): number[] {
  const measured = Array.from({ length: rounds + 3 }, (_, round) => {
    const before = process.cpuUsage()
    work(round)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  })
  return measured.slice(3)
}

function relabel(cluster: Cluster, round: number): void {
  const node = cluster.nodes[50] as NodeResource
  cluster.nodes[50] = {
    ...node,
    metadata: { ...node.metadata, labels: { ...node.metadata.labels, round: `${round}` } },
  }
}

function createCluster(size: number, topology: Topology): Cluster {
  const isReflector = (index: number): boolean => topology !== 'mesh' && index < 2
  const indexes = Array.from({ length: size }, (_, index) => index)
  const cidrOf = (index: number): string => `10.${100 + (index >> 10)}.${(index >> 2) & 255}.${(index & 3) * 64}/26`
  return {
    nodes: indexes.map((index) => createNode(index, isReflector(index))),
    configurations: [{ metadata: { name: 'default' }, spec: { nodeToNodeMeshEnabled: topology === 'mesh' } }],
    peers:
      topology === 'mesh'
        ? []
        : [{ metadata: { name: 'rrs' }, spec: { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" } }],
    pools: [{ metadata: { name: 'pool' }, spec: { cidr: '10.96.0.0/11', blockSize: 26 } }],
    blocks: indexes.map((index) => createBlock(cidrOf(index), index)),
    affinities: indexes.map((index) => ({
      metadata: { name: `affinity-${index}` },
      spec: { node: `node-${index}`, cidr: cidrOf(index), state: 'confirmed' },
    })),
  }
}

function createNode(index: number, isReflector: boolean): NodeResource {
  const address = `172.16.${index >> 8}.${index & 255}`
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

function createBlock(cidr: string, index: number): IPAMBlock {
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
