import { fork } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { type ClosableKubeClient, createKubeClient } from '../src/kube/client.ts'
import { loadKubeConfig } from '../src/kube/kubeconfig.ts'
import { installResources } from '../src/lab/install-resources.ts'
import { allocationsOf } from '../src/networks/routed/ipam/block.ts'
import { ipamBlocks } from '../src/networks/routed/resources.ts'
import { type IpamNode, startIpamNode, testPool } from '../test/support/ipam-node.ts'
import type { Bench, Report } from './bench.ts'
import { percentile } from './statistics.ts'

const pools = [testPool('pool', '10.0.0.0/16', 26)]
const roomInBlock = 64
const rounds = 6

/** The crowd of the second part. */
const nodeCount = 20
const clientsPerNode = 5
const allocations = 10_000

/** Addresses of the routed network: one after the other from a node's own block, then by a crowd of nodes at once. */
export const ipamAllocate: Bench = async (report) => {
  const api = fork(new URL('./api-process.ts', import.meta.url), { execArgv: process.execArgv })
  const closing: (() => Promise<unknown>)[] = [async () => api.disconnect()]
  try {
    const [kubeconfig] = await once(api, 'message')
    const stop = new AbortController()
    setMaxListeners(0, stop.signal)
    const connect = async (): Promise<ClosableKubeClient> => {
      const kube = createKubeClient(await loadKubeConfig(String(kubeconfig)))
      closing.push(() => kube.close())
      return kube
    }
    closing.push(async () => stop.abort())
    const kube = await connect()
    await installResources(kube)
    await measureOwnBlock(report, await startIpamNode({ kube, nodeName: 'alone', signal: stop.signal }), kube)
    const nodes: IpamNode[] = []
    for (let index = 0; index < nodeCount; index++) {
      nodes.push(await startIpamNode({ kube: await connect(), nodeName: `node-${index}`, signal: stop.signal }))
    }
    await measureCrowd(report, nodes, kube)
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** The floor is the same write to the API without address management. */
async function measureOwnBlock(report: Report, node: IpamNode, kube: ClosableKubeClient): Promise<void> {
  await node.assign('warm-up', pools)
  const own: Measured = { times: [], cpuMs: 0 }
  const floor: Measured = { times: [], cpuMs: 0 }
  for (let round = 0; round < rounds; round++) {
    for (let index = 1; index < roomInBlock; index++) {
      await measure(own, () => node.assign(`net.${round}-${index}`, pools))
      await measure(floor, () => rewrite(node, kube, index))
    }
    for (let index = 1; index < roomInBlock; index++) await node.release(`net.${round}-${index}`)
    await node.handles.idle()
  }
  const [peer, peerCpu] = ['the same write without address management, p50', 'CPU of the same write, mean']
  report(peer, percentile(floor.times, 50), 'ms')
  report('from an own block, with the write to the API, p50', percentile(own.times, 50), 'ms', peer)
  report('from an own block, with the write to the API, p95', percentile(own.times, 95), 'ms', peer)
  report(peerCpu, floor.cpuMs / floor.times.length, 'ms')
  report('CPU of the node from an own block, mean', own.cpuMs / own.times.length, 'ms', peerCpu)
}

async function rewrite({ store, nodeName }: IpamNode, kube: ClosableKubeClient, index: number): Promise<void> {
  const [block] = store.view.ownedBy(nodeName)
  if (block === undefined) throw new Error(`${nodeName} has no block`)
  const metadata = { ...block.metadata, labels: { floor: String(index) } }
  store.view.remember(await kube.update(ipamBlocks, { ...block, metadata }))
}

interface Measured {
  readonly times: number[]
  cpuMs: number
}

async function measure(sum: Measured, task: () => Promise<unknown>): Promise<void> {
  const [startedAt, cpu] = [performance.now(), process.cpuUsage()]
  await task()
  sum.times.push(performance.now() - startedAt)
  const { user, system } = process.cpuUsage(cpu)
  sum.cpuMs += (user + system) / 1000
}

async function measureCrowd(report: Report, nodes: readonly IpamNode[], kube: ClosableKubeClient): Promise<void> {
  const before = (await kube.list(ipamBlocks)).items.flatMap(allocationsOf).length
  const startedAt = performance.now()
  let next = 0
  const client = async (node: IpamNode): Promise<string[]> => {
    const addresses: string[] = []
    while (next < allocations) addresses.push(await node.assign(`crowd.${next++}`, pools))
    return addresses
  }
  const clients = nodes.flatMap((node) => Array.from({ length: clientsPerNode }, () => client(node)))
  const addresses = (await Promise.all(clients)).flat()
  const seconds = (performance.now() - startedAt) / 1000
  const stored = (await kube.list(ipamBlocks)).items.flatMap(allocationsOf).length - before
  const duplicates = addresses.length - new Set(addresses).size
  if (addresses.length !== allocations || duplicates > 0 || stored !== allocations) {
    throw new Error(`${addresses.length} addresses, ${duplicates} of them twice, ${stored} in the API`)
  }
  report(
    `${allocations} by ${clients.length} clients on ${nodes.length} nodes, none twice`,
    allocations / seconds,
    'addresses/s',
  )
}
