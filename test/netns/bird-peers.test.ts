import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endpointSlices, nodes, secrets, services } from '../../src/kube/resources/core.ts'
import { bgpConfigurations, bgpFilters, bgpPeers, ipamBlocks } from '../../src/networks/routed/resources.ts'
import { type Peer, startFrr, startGoBgp } from './support/peers.ts'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'

/** Routers that nobody here wrote, and what they see of us. */
describe('BGP with routers of others', () => {
  let cluster: RoutedCluster
  let work01: RoutedNode
  let work02: RoutedNode
  let frr: Peer
  let gobgp: Peer

  beforeAll(async () => {
    cluster = await createRoutedCluster({ work01: '192.168.100.101', work02: '192.168.100.102' })
    ;[work01, work02] = cluster.nodes as [RoutedNode, RoutedNode]
    for (const node of cluster.nodes) await cluster.attach(node, await cluster.createPod(`on-${node.name}`))
    frr = await startFrr({
      name: 'tor',
      address: '192.168.100.1',
      asNumber: 65000,
      lines: [
        'neighbor nodes peer-group',
        'neighbor nodes remote-as 64512',
        'neighbor nodes bfd',
        ...['101', '102'].map((last) => `neighbor 192.168.100.${last} peer-group nodes`),
        'address-family ipv4 unicast',
        ' network 203.0.113.0/24',
        'exit-address-family',
        'no bgp network import-check',
      ],
    })
    gobgp = await startGoBgp({
      name: 'reflector',
      address: '192.168.100.2',
      asNumber: 64512,
      text: ['101', '102']
        .map((last) =>
          [
            '[[neighbors]]',
            '  [neighbors.config]',
            `    neighbor-address = "192.168.100.${last}"`,
            '    peer-as = 64512',
            '    auth-password = "secret"',
            '  [neighbors.route-reflector.config]',
            '    route-reflector-client = true',
            '    route-reflector-cluster-id = "192.168.100.2"',
            '  [[neighbors.afi-safis]]',
            '    [neighbors.afi-safis.config]',
            '      afi-safi-name = "ipv4-unicast"',
            '',
          ].join('\n'),
        )
        .join('\n'),
    })
  }, 60_000)
  afterAll(async () => {
    await frr?.stop()
    await gobgp?.stop()
    await cluster?.stop()
  })

  async function blockOf(node: RoutedNode): Promise<string> {
    const { items } = await cluster.kube.list(ipamBlocks)
    return items.find(({ spec }) => spec.affinity === `host:${node.name}`)?.spec.cidr ?? ''
  }

  async function learned(node: RoutedNode): Promise<Record<string, string>> {
    const routes = await node.kernel.routes(undefined, { family: 4, protocol: 12 })
    return Object.fromEntries(routes.flatMap((route) => (route.gateway ? [[route.destination, route.gateway]] : [])))
  }

  type FrrRoutes = {
    routes: Record<string, { nexthops: { ip: string }[]; path: string; community?: { string: string } }[]>
  }

  describe('FRR as the top-of-rack router of every node', () => {
    it('gets the block of each node from that node, and nothing else', async () => {
      await cluster.kube.create(bgpPeers, {
        metadata: { name: 'tor' },
        spec: { peerIP: frr.address, asNumber: 65000, failureDetectionMode: 'BFDIfDirectlyConnected' },
      })
      const [one, two] = [await blockOf(work01), await blockOf(work02)]
      await eventually('both blocks at the router', async () => {
        const { routes } = (await frr.ask('show bgp ipv4 unicast json')) as FrrRoutes
        const hops = (cidr: string): string[] => (routes[cidr] ?? []).map(({ nexthops }) => nexthops[0]?.ip ?? '')
        expect(Object.keys(routes).sort()).toEqual([one, two, '203.0.113.0/24'].sort())
        expect(hops(one)).toContain(work01.address)
        expect(hops(two)).toContain(work02.address)
      })
    })

    it('brings its own networks into the kernels', async () => {
      await eventually('the route', async () =>
        expect(await learned(work01)).toHaveProperty(['203.0.113.0/24'], frr.address),
      )
    })

    it('sees the communities of prefixAdvertisements', async () => {
      await cluster.kube.create(bgpConfigurations, {
        metadata: { name: 'default' },
        spec: {
          communities: [{ name: 'pods', value: '64512:7' }],
          prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['pods'] }],
        },
      })
      const one = await blockOf(work01)
      await eventually('the community', async () => {
        const found = (await frr.ask(`show bgp ipv4 unicast ${one} json`)) as {
          paths: { community?: { string: string } }[]
        }
        expect(found.paths.map(({ community }) => community?.string)).toContain('64512:7')
      })
    })

    it('takes and gets only what a BGPFilter lets through', async () => {
      const one = await blockOf(work01)
      await cluster.kube.create(bgpFilters, {
        metadata: { name: 'tor' },
        spec: {
          importV4: [{ cidr: '203.0.113.0/24', matchOperator: 'In', action: 'Reject' }],
          exportV4: [{ cidr: one, matchOperator: 'Equal', action: 'Reject' }],
        },
      })
      const peer = await cluster.kube.get(bgpPeers, 'tor')
      await cluster.kube.update(bgpPeers, { ...peer, spec: { ...peer.spec, filters: ['tor'] } })
      await eventually('the filter to work', async () => {
        const { routes } = (await frr.ask('show bgp ipv4 unicast json')) as FrrRoutes
        expect(Object.keys(routes)).not.toContain(one)
        expect(await learned(work01)).not.toHaveProperty(['203.0.113.0/24'])
      })
      await cluster.kube.update(bgpPeers, { ...(await cluster.kube.get(bgpPeers, 'tor')), spec: peer.spec })
      await eventually('the route to be back', async () =>
        expect(await learned(work01)).toHaveProperty(['203.0.113.0/24'], frr.address),
      )
    })

    it('is told of addresses of services: the prefix by all, one address by the node that has its endpoint', async () => {
      const configuration = await cluster.kube.get(bgpConfigurations, 'default')
      const spec = { ...configuration.spec, serviceClusterIPs: [{ cidr: '10.96.0.0/16' }] }
      await cluster.kube.update(bgpConfigurations, { ...configuration, spec })
      const namespace = 'default'
      await cluster.kube.create(services, {
        metadata: { name: 'web', namespace },
        spec: { type: 'NodePort', clusterIP: '10.96.0.7', externalTrafficPolicy: 'Local' },
      })
      const labels = { 'kubernetes.io/service-name': 'web' }
      await cluster.kube.create(endpointSlices, {
        metadata: { name: 'web-1', namespace, labels },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.244.9.9'], nodeName: 'work02' }],
      })
      const hops = async (cidr: string): Promise<string[]> => {
        const { routes } = (await frr.ask('show bgp ipv4 unicast json')) as FrrRoutes
        return (routes[cidr] ?? []).flatMap(({ nexthops }) => nexthops.map(({ ip }) => ip)).sort()
      }
      await eventually('both kinds of routes', async () => {
        expect(await hops('10.96.0.0/16')).toEqual([work01.address, work02.address])
        expect(await hops('10.96.0.7/32')).toEqual([work02.address])
      })
      // The nodes themselves serve these addresses in other ways.
      expect(Object.keys(await learned(work01)).filter((cidr) => cidr.startsWith('10.96.'))).toEqual([])
      await cluster.kube.delete(endpointSlices, 'web-1', { namespace })
      await eventually('the single address to be gone', async () => expect(await hops('10.96.0.7/32')).toEqual([]))
      const exclude = { 'node.kubernetes.io/exclude-from-external-load-balancers': 'true' }
      await cluster.kube.patch(nodes, 'work01', { type: 'merge', body: { metadata: { labels: exclude } } })
      await eventually('work01 to keep out', async () => expect(await hops('10.96.0.0/16')).toEqual([work02.address]))
      await cluster.kube.update(bgpConfigurations, {
        ...(await cluster.kube.get(bgpConfigurations, 'default')),
        spec: configuration.spec ?? {},
      })
      await eventually('the prefix to be gone', async () => expect(await hops('10.96.0.0/16')).toEqual([]))
    })

    it('is found dead by BFD, long before the hold time', async () => {
      const up = async (): Promise<unknown> =>
        ((await frr.ask('show bfd peers json')) as { status: string }[]).map(({ status }) => status)
      await eventually('BFD', async () => expect(await up()).toEqual(['up', 'up']))
      await frr.kill()
      await eventually('the route to be gone', async () =>
        expect(await learned(work01)).not.toHaveProperty(['203.0.113.0/24']),
      )
    })
  })

  describe('GoBGP as the route reflector of a cluster without a mesh', () => {
    it('reflects each block with the owner as next hop, over sessions with a password', async () => {
      await cluster.kube.create(secrets, {
        metadata: { name: 'bgp', namespace: 'kube-system' },
        data: { reflector: Buffer.from('secret').toString('base64') },
      })
      await cluster.kube.delete(bgpPeers, 'tor')
      await cluster.kube.create(bgpPeers, {
        metadata: { name: 'reflector' },
        spec: {
          peerIP: gobgp.address,
          asNumber: 64512,
          password: { secretKeyRef: { name: 'bgp', key: 'reflector' } },
        },
      })
      const configuration = await cluster.kube.get(bgpConfigurations, 'default')
      await cluster.kube.update(bgpConfigurations, { ...configuration, spec: { nodeToNodeMeshEnabled: false } })
      const [one, two] = [await blockOf(work01), await blockOf(work02)]
      await eventually('the reflected routes', async () => {
        const names = (await work01.protocols()).filter(({ protocol }) => protocol === 'BGP')
        expect(names.map(({ name, info }) => `${name} ${info}`)).toEqual(['Global_192_168_100_2 Established'])
        expect(await learned(work01)).toEqual({ [two]: work02.address })
        expect(await learned(work02)).toEqual({ [one]: work01.address })
      })
    })

    it('loses the session to a Secret that changes, and gets it back with the right password', async () => {
      const setPassword = (text: string): Promise<unknown> =>
        cluster.kube.patch(
          secrets,
          'bgp',
          { type: 'merge', body: { data: { reflector: Buffer.from(text).toString('base64') } } },
          { namespace: 'kube-system' },
        )
      const states = async (): Promise<string[]> =>
        (await work01.protocols())
          .filter(({ protocol }) => protocol === 'BGP')
          .map(({ info }) => info.split(' ')[0] ?? '')
      await setPassword('another')
      await eventually('the session to end', async () => expect(await states()).not.toContain('Established'))
      await setPassword('with a \n in it')
      await eventually('the session to be left out', async () => expect(await states()).toEqual([]))
      expect(work01.events.join()).toContain(
        'key reflector of Secret kube-system/bgp has a line break or a quote in it',
      )
      await setPassword('secret')
      await eventually('the session', async () => expect(await states()).toEqual(['Established']), 30_000)
    })
  })
})
