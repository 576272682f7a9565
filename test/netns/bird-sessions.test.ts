import { readFile, stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodes } from '../../src/kube/resources/core.ts'
import { bgpConfigurations, bgpPeers, ipamBlocks } from '../../src/networks/routed/resources.ts'
import { virtualNodePatch } from '../../src/networks/routed/virtual-node.ts'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'

const addresses = { master01: '192.168.100.10', work01: '192.168.100.101', work02: '192.168.100.102' }

let cluster: RoutedCluster
let master01: RoutedNode
let work01: RoutedNode
let work02: RoutedNode

beforeAll(async () => {
  cluster = await createRoutedCluster(addresses)
  ;[master01, work01, work02] = cluster.nodes as [RoutedNode, RoutedNode, RoutedNode]
})

afterAll(() => cluster?.stop())

async function sessions(node: RoutedNode): Promise<string[]> {
  const found = (await node.protocols()).filter(({ protocol }) => protocol === 'BGP')
  return found.map(({ name, state, info, neighborAddress }) => `${name} ${neighborAddress} ${state} ${info}`).sort()
}

async function expectSessions(node: RoutedNode, ...expected: string[]): Promise<void> {
  await eventually(`sessions of ${node.name}`, async () => expect(await sessions(node)).toEqual(expected))
}

async function blockOf(node: RoutedNode): Promise<string> {
  const { items } = await cluster.kube.list(ipamBlocks)
  return items.find(({ spec }) => spec.affinity === `host:${node.name}`)?.spec.cidr ?? ''
}

/** What the node's kernel has from BIRD: destination to next hop. */
async function learned(node: RoutedNode): Promise<Record<string, string>> {
  const routes = await node.kernel.routes(undefined, { family: 4, protocol: 12 })
  return Object.fromEntries(routes.map((route) => [route.destination, route.gateway ?? route.type ?? '']))
}

async function expectAllBlocksEverywhere(): Promise<void> {
  const blocks = await Promise.all(cluster.nodes.map(blockOf))
  for (const node of cluster.nodes) {
    const expected = cluster.nodes.map((owner, index) => [blocks[index], owner === node ? 'blackhole' : owner.address])
    await eventually(`routes of ${node.name}`, async () =>
      expect(await learned(node)).toEqual(Object.fromEntries(expected)),
    )
  }
}

describe('three nodes', () => {
  it('form a mesh', async () => {
    await expectSessions(
      master01,
      'Mesh_192_168_100_101 192.168.100.101 up Established',
      'Mesh_192_168_100_102 192.168.100.102 up Established',
    )
    await expectSessions(
      work02,
      'Mesh_192_168_100_10 192.168.100.10 up Established',
      'Mesh_192_168_100_101 192.168.100.101 up Established',
    )
  })

  it("know each other's blocks with the right next hop, and no single address", async () => {
    for (const node of cluster.nodes) await cluster.attach(node, await cluster.createPod(`on-${node.name}`))
    await expectAllBlocksEverywhere()
  })

  it('show the time of a new session', async () => {
    const [session] = (await master01.protocols()).filter(({ protocol }) => protocol === 'BGP')
    expect(session?.since).toMatch(/^\d\d:\d\d:\d\d$/)
    expect(session?.neighborAsNumber).toBe(64512)
  })

  it('do not reload BIRD for what changes nothing', async () => {
    const before = await stat(work01.birdConfigFile)
    await cluster.attach(work01, await cluster.createPod('second'))
    await cluster.kube.patch(nodes, 'work01', { type: 'merge', body: { metadata: { labels: { any: 'thing' } } } })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await stat(work01.birdConfigFile)).mtimeMs).toBe(before.mtimeMs)
  })

  it('keep the routes of a BIRD that is killed and comes back', async () => {
    await work01.stopBird('SIGKILL')
    const withRoute = async () =>
      expect(await learned(master01)).toHaveProperty([await blockOf(work01)], work01.address)
    await withRoute()
    await work01.startBird()
    await expectSessions(
      work01,
      'Mesh_192_168_100_10 192.168.100.10 up Established',
      'Mesh_192_168_100_102 192.168.100.102 up Established',
    )
    await withRoute()
    await expectAllBlocksEverywhere()
  })
})

describe('a BGPPeer whose selector matches no node', () => {
  it('makes no session and says so', async () => {
    await cluster.kube.create(bgpPeers, {
      metadata: { name: 'peer-to-rrs' },
      spec: { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" },
    })
    await eventually('the event', async () =>
      expect(work01.events).toContain(
        "Warning NoBGPSession peer-to-rrs: peerSelector route-reflector == 'true' matches no node, so there is no session",
      ),
    )
  })
})

describe('readiness', () => {
  const reasons = (node: RoutedNode) => node.nodeSide.impairments?.()

  it('is given with the sessions of a mesh, and names BIRD when it is gone', async () => {
    expect(await reasons(work01)).toEqual([])
    await work01.stopBird('SIGKILL')
    expect(await reasons(work01)).toEqual(['BIRD does not answer'])
    await work01.startBird()
    await eventually('work01 to be ready', async () => expect(await reasons(work01)).toEqual([]))
  })

  it("fails where the mesh is off and the article's typing error leaves a node without a session; pods still get addresses", async () => {
    await cluster.kube.create(bgpConfigurations, {
      metadata: { name: 'default' },
      spec: { nodeToNodeMeshEnabled: false },
    })
    await eventually('the reason', async () =>
      expect(await reasons(work01)).toEqual([
        expect.stringMatching(/^node work01 has no BGP session at all: the mesh is off, and no BGPPeer selects it/),
      ]),
    )
    expect(work01.nodeSide.status()).toEqual({ isReady: true, problems: [] })
    const gauges = Object.fromEntries(
      ((await work01.nodeSide.gauges?.()) ?? []).map(({ name, values }) => [name, values]),
    )
    expect(gauges.twinlane_bgp_mistakes).toEqual([{ labels: {}, value: 1 }])
    expect(gauges.twinlane_bgp_sessions).toContainEqual({ labels: { family: 'IPv4', state: 'established' }, value: 0 })
    await cluster.kube.delete(bgpConfigurations, 'default')
    await eventually('work01 to be ready', async () => expect(await reasons(work01)).toEqual([]))
  })
})

describe('the steps of the article', () => {
  it('turn master01 into the route reflector of the others', async () => {
    const { kube } = cluster
    await kube.patch(nodes, 'master01', {
      type: 'merge',
      body: { metadata: { labels: { 'route-reflector': 'true' } } },
    })
    const patch = virtualNodePatch({
      metadata: { name: 'master01' },
      spec: {
        bgp: { asNumber: 63400, ipv4Address: '192.168.100.10/24', routeReflectorClusterID: '192.168.100.10' },
      },
    })
    await kube.patch(nodes, 'master01', patch)
    await kube.create(bgpConfigurations, {
      metadata: { name: 'default' },
      spec: { logSeverityScreen: 'Info', nodeToNodeMeshEnabled: false, asNumber: 63400 },
    })
    await expectSessions(
      master01,
      'Node_192_168_100_101 192.168.100.101 up Established',
      'Node_192_168_100_102 192.168.100.102 up Established',
    )
    await expectSessions(work01, 'Node_192_168_100_10 192.168.100.10 up Established')
    await expectSessions(work02, 'Node_192_168_100_10 192.168.100.10 up Established')
  })

  it('leave every block in every table, with the owner as next hop and not the reflector', async () => {
    await expectAllBlocksEverywhere()
  })
})

describe('a configuration that BIRD refuses', () => {
  it('changes neither the file nor the sessions, and is a problem of the node until it is gone', async () => {
    const before = await eventually('the end of the change before', async () => {
      const text = await readFile(work02.birdConfigFile, 'utf8')
      expect(text).not.toContain('held4')
      return text
    })
    await cluster.kube.create(bgpPeers, {
      metadata: { name: 'broken' },
      spec: { node: 'work02', peerIP: '203.0.113.9', asNumber: 0 },
    })
    await eventually('the problem', async () =>
      expect(work02.nodeSide.status().problems.join()).toMatch(/BIRD refused/),
    )
    expect(work02.events.join()).toContain('BirdConfigurationRefused work02')
    expect(await readFile(work02.birdConfigFile, 'utf8')).toBe(before)
    await expectSessions(work02, 'Node_192_168_100_10 192.168.100.10 up Established')
    await cluster.kube.delete(bgpPeers, 'broken')
    await eventually('the problem to end', async () => expect(work02.nodeSide.status().isReady).toBe(true))
  })
})
