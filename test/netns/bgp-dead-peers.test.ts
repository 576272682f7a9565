import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { nodes } from '../../src/kube/resources/core.ts'
import { bgpConfigurations, bgpPeers } from '../../src/networks/routed/resources.ts'
import { type Peer, startFrr } from './support/peers.ts'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'
import { startProbes } from './support/udp-probe.ts'

const addresses = {
  reflector1: '192.168.100.11',
  reflector2: '192.168.100.12',
  work01: '192.168.100.101',
  work02: '192.168.100.102',
}

/** Peers that die without a word, watched by BFD: two reflectors, and two routers with the same network behind them. */
describe('with BFD', () => {
  let cluster: RoutedCluster
  let work01: RoutedNode
  let work02: RoutedNode
  const pods: { netns: string; address: string }[] = []
  const routers: Peer[] = []

  beforeAll(async () => {
    cluster = await createRoutedCluster(addresses)
    const [reflector1, reflector2, ...workers] = cluster.nodes as [RoutedNode, RoutedNode, ...RoutedNode[]]
    ;[work01, work02] = workers as [RoutedNode, RoutedNode]
    for (const node of workers) {
      const { address } = await cluster.attach(node, await cluster.createPod(`on-${node.name}`))
      pods.push({ netns: `pod-on-${node.name}`, address })
    }
    for (const [name, last] of [
      ['tor1', 1],
      ['tor2', 2],
    ] as const) {
      routers.push(await startRouter(name, `192.168.100.${last}`))
    }
    const failureDetectionMode = 'BFDIfDirectlyConnected' as const
    await cluster.kube.create(bgpPeers, {
      metadata: { name: 'reflectors' },
      spec: { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'", failureDetectionMode },
    })
    for (const { name, address } of [reflector1, reflector2]) {
      const annotations = { 'projectcalico.org/RouteReflectorClusterID': address }
      const metadata = { labels: { 'route-reflector': 'true' }, annotations }
      await cluster.kube.patch(nodes, name, { type: 'merge', body: { metadata } })
    }
    for (const { address } of routers) {
      await cluster.kube.create(bgpPeers, {
        metadata: { name: `tor-${address.split('.').at(-1)}` },
        spec: { peerIP: address, asNumber: 65000, failureDetectionMode },
      })
    }
    await cluster.kube.create(bgpConfigurations, {
      metadata: { name: 'default' },
      spec: { nodeToNodeMeshEnabled: false },
    })
  }, 90_000)
  afterAll(async () => {
    for (const router of routers) await router.stop()
    await cluster?.stop()
  })
  beforeEach(() => expectAllUp())
  afterEach(() => expectAllUp())

  /** Both routers announce the network behind them. */
  function startRouter(name: string, address: string): Promise<Peer> {
    return startFrr({
      name,
      address,
      asNumber: 65000,
      lines: [
        ...Object.values(addresses).flatMap((node) => [`neighbor ${node} remote-as 64512`, `neighbor ${node} bfd`]),
        'no bgp network import-check',
        'address-family ipv4 unicast',
        ' network 203.0.113.0/24',
        'exit-address-family',
      ],
    })
  }

  async function expectAllUp(): Promise<void> {
    await eventually(
      'all sessions and their BFD',
      async () => {
        for (const node of [work01, work02]) {
          const states = (await node.protocols()).filter(({ protocol }) => protocol === 'BGP').map(({ info }) => info)
          expect(states).toEqual(['Established', 'Established', 'Established', 'Established'])
        }
        for (const router of routers) {
          const peers = (await router.ask('show bfd peers json')) as { status: string }[]
          expect(peers.map(({ status }) => status)).toEqual(['up', 'up', 'up', 'up'])
        }
      },
      40_000,
    )
  }

  const setLink = (name: string, state: 'up' | 'down') => exec('ip', ['link', 'set', `p-${name}`, state])

  it('pods of other nodes lose no packet when a reflector is cut off', async () => {
    const ends = pods.map(({ netns, address }) => ({ prefix: ['ip', 'netns', 'exec', netns], address }))
    const probes = await startProbes(ends)
    await setLink('reflector1', 'down')
    await eventually('BFD to notice', async () => {
      const info = (await work01.protocols()).find(({ name }) => name === 'Node_192_168_100_11')?.info
      expect(info).not.toBe('Established')
    })
    await setLink('reflector1', 'up')
    expect((await probes.stop()).map(({ lost }) => lost)).toEqual([0, 0])
  })

  it('traffic to a network behind two routers leaves by the other one long before the hold time of 10 s', async () => {
    const hops = async (): Promise<string[]> => {
      const text = await work01.ip('-j', 'route', 'show', '203.0.113.0/24')
      const [route] = JSON.parse(text) as { gateway?: string; nexthops?: { gateway: string }[] }[]
      return [...(route?.nexthops ?? []), route ?? {}].flatMap(({ gateway }) => gateway ?? []).sort()
    }
    await eventually('both routers', async () => expect(await hops()).toEqual(['192.168.100.1', '192.168.100.2']))
    await setLink('tor1', 'down')
    await eventually('the dead one to be gone', async () => expect(await hops()).toEqual(['192.168.100.2']), 4000)
    await setLink('tor1', 'up')
    await eventually('both routers', async () => expect(await hops()).toHaveLength(2), 40_000)
  })
})
