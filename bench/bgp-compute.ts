import type { NodeResource } from '../src/kube/resources/core.ts'
import { BgpNodes } from '../src/networks/routed/bgp/bgp-nodes.ts'
import type { Bench, Report } from './bench.ts'
import { type Cluster, compute, createCluster, podsPerNode, type Topology } from './bgp-cluster.ts'
import { percentile } from './statistics.ts'

const sizes = [100, 1000, 5000]
const rounds = 15

/** What one node computes for BGP from the caches of a cluster, in processor time: everything, and one change. */
export const bgpCompute: Bench = async (report) => {
  for (const topology of ['two route reflectors', 'mesh'] as const) {
    for (const size of sizes) measure(report, size, topology)
  }
}

function measure(report: Report, size: number, topology: Topology): void {
  const cluster = createCluster(size, topology)
  const name = `${size} nodes, ${size * podsPerNode} pods, ${topology}`
  const everything = times(() => compute(cluster, 'node-7', new BgpNodes()))
  report(`sessions, model and text of one node: ${name}, p50`, percentile(everything, 50), 'ms')
  const warm = new BgpNodes()
  compute(cluster, 'node-7', warm)
  const change = times((round) => {
    relabel(cluster, round)
    compute(cluster, 'node-7', warm)
  })
  report(`the same after one node has changed: ${name}, p50`, percentile(change, 50), 'ms')
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
