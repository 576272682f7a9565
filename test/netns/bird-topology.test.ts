import type { ChildProcess } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { spawnProcess } from '../../src/base/exec.ts'
import { silentLog } from '../../src/base/log.ts'
import { nodes } from '../../src/kube/resources/core.ts'
import { bgpNodeOf } from '../../src/networks/routed/bgp/bgp-node.ts'
import { bgpSettings } from '../../src/networks/routed/bgp/bgp-settings.ts'
import { buildBirdConfig } from '../../src/networks/routed/bgp/build-config.ts'
import { SteadyBird } from '../../src/networks/routed/node/steady-bird.ts'
import { bgpConfigurations, bgpPeers, ipamBlocks } from '../../src/networks/routed/resources.ts'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'

const addresses = { master01: '192.168.100.10', work01: '192.168.100.101', work02: '192.168.100.102' }
let cluster: RoutedCluster

beforeAll(async () => {
  cluster = await createRoutedCluster(addresses)
  for (const node of cluster.nodes) await cluster.attach(node, await cluster.createPod(`on-${node.name}`))
  await eventually('all blocks everywhere', async () => {
    for (const node of cluster.nodes) expect(await peerRoutes(node)).toHaveLength(2)
  })
})

afterAll(() => cluster?.stop())

async function peerRoutes(node: RoutedNode): Promise<string[]> {
  const routes = await node.kernel.routes(undefined, { family: 4, protocol: 12 })
  return routes
    .flatMap(({ destination, gateway }) => (gateway === undefined ? [] : [`${destination} ${gateway}`]))
    .sort()
}

/** Every change of the pods' routes in the kernels of all nodes, from now on. */
function recordRouteChanges(): { stop(): Promise<string[]> } {
  const recorders = cluster.nodes.map((node) => recordNode(node))
  return { stop: async () => (await Promise.all(recorders.map((recorder) => recorder.stop()))).flat() }
}

function recordNode(node: RoutedNode): { stop(): Promise<string[]> } {
  const monitor: ChildProcess = spawnProcess('ip', ['-n', node.name, 'monitor', 'route'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  monitor.stdout?.on('data', (chunk) => {
    text += chunk
  })
  return {
    async stop() {
      const gone = new Promise((resolve) => monitor.once('close', resolve))
      monitor.kill()
      await gone
      return text
        .split('\n')
        .filter((line) => line.includes('10.244.'))
        .map((line) => `${node.name}: ${line.trim()}`)
    },
  }
}

async function sessionNames(node: RoutedNode): Promise<string[]> {
  const found = (await node.protocols()).filter(({ protocol }) => protocol === 'BGP')
  return found.map(({ name, info }) => `${name} ${info}`).sort()
}

describe('a topology of BGP that changes', () => {
  let before: string[][]
  beforeEach(async () => {
    before = await Promise.all(cluster.nodes.map(peerRoutes))
  })

  const expectSettled = async (counts: readonly number[]): Promise<void> => {
    await eventually('all sessions', async () => {
      for (const [index, node] of cluster.nodes.entries()) {
        const names = await sessionNames(node)
        expect(names).toHaveLength(counts[index] ?? 0)
        expect(names.filter((name) => !name.endsWith('Established'))).toEqual([])
        expect((await node.protocols()).filter(({ name }) => name.startsWith('held'))).toEqual([])
      }
    })
    expect(await Promise.all(cluster.nodes.map(peerRoutes))).toEqual(before)
  }

  it('from mesh to route reflector, in the order that used to lose the routes, changes no route of any kernel', async () => {
    const changes = recordRouteChanges()
    await cluster.kube.patch(nodes, 'master01', {
      type: 'merge',
      body: {
        metadata: {
          labels: { 'route-reflector': 'true' },
          annotations: { 'projectcalico.org/RouteReflectorClusterID': '192.168.100.10' },
        },
      },
    })
    await eventually('master01 to have left the mesh', async () =>
      expect(await sessionNames(cluster.nodes[0] as RoutedNode)).toEqual([]),
    )
    await cluster.kube.create(bgpPeers, {
      metadata: { name: 'peer-to-rrs' },
      spec: { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" },
    })
    await cluster.kube.create(bgpConfigurations, {
      metadata: { name: 'default' },
      spec: { nodeToNodeMeshEnabled: false },
    })
    await expectSettled([2, 1, 1])
    expect(await changes.stop()).toEqual([])
  })

  it('back to the mesh changes none either', async () => {
    const changes = recordRouteChanges()
    await cluster.kube.patch(nodes, 'master01', {
      type: 'merge',
      body: { metadata: { annotations: { 'projectcalico.org/RouteReflectorClusterID': null } } },
    })
    await cluster.kube.delete(bgpPeers, 'peer-to-rrs')
    await cluster.kube.delete(bgpConfigurations, 'default')
    await expectSettled([2, 2, 2])
    expect(await changes.stop()).toEqual([])
  })

  it('an agent that starts after a change holds what the sessions had brought that it does not know', async () => {
    const work02 = cluster.nodes[2] as RoutedNode
    await work02.nodeSide.stop()
    const configurations = [{ metadata: { name: 'default' }, spec: { nodeToNodeMeshEnabled: false } }]
    const local = bgpNodeOf(await cluster.kube.get(nodes, 'work02'), configurations)
    const config = buildBirdConfig({
      ...{ local, sessions: [], ownBlocks: [], serviceRoutes: [], pools: [], filters: [] },
      settings: bgpSettings(configurations, 'work02'),
    })
    const known = await peerRoutes(work02)
    const changes = recordRouteChanges()
    const paths = { configFile: work02.birdConfigFile, socket: work02.birdSocket }
    const stop = new AbortController()
    await new SteadyBird({ ...paths, log: silentLog }).apply(config, stop.signal)
    // One after the other: it goes on with what the first has held, and was killed.
    stop.abort()
    await new SteadyBird({ ...paths, log: silentLog }).apply(config, new AbortController().signal)
    expect(await sessionNames(work02)).toEqual([])
    expect(await peerRoutes(work02)).toEqual(known)
    const gone = (await changes.stop()).filter(
      (line) => line.startsWith('work02: Deleted 10.244') && line.includes(' via '),
    )
    expect(gone).toEqual([])
  })

  it('lets go of networks that nobody announces any more', async () => {
    const [master01, work01] = cluster.nodes as [RoutedNode, RoutedNode]
    const block =
      (await cluster.kube.list(ipamBlocks)).items.find(({ spec }) => spec.affinity === 'host:master01')?.spec.cidr ?? ''
    await cluster.kube.delete(nodes, 'master01')
    await master01.stopBird()
    await eventually(
      'the route to be gone',
      async () => expect((await peerRoutes(work01)).join()).not.toContain(block),
      20_000,
    )
  })
})
