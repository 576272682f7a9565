import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { queryBird } from '../../src/bird/control.ts'
import { nodes } from '../../src/kube/resources/core.ts'
import { allocationsOf } from '../../src/networks/routed/ipam/block.ts'
import { ipamBlocks, ipamHandles, ipPools } from '../../src/networks/routed/resources.ts'
import {
  createRoutedCluster,
  eventually,
  type RoutedCluster,
  type RoutedNode,
  type TestPod,
} from './support/routed-cluster.ts'

interface Attached {
  readonly pod: TestPod
  readonly v4: string
  readonly v6: string
}

const device = 'vxlan-v6.calico'

let cluster: RoutedCluster
let work01: RoutedNode
let work02: RoutedNode
let remote: RoutedNode
let here: Attached
let there: Attached

/** The root of the test's namespace routes between the two subnets, and knows nothing of pods. */
async function connectSubnets(): Promise<void> {
  for (const [family, gateways] of [
    ['-4', ['192.168.100.1/24', '192.168.101.1/24']],
    ['-6', ['fd00:100::1/64', 'fd00:101::1/64']],
  ] as const) {
    for (const gateway of gateways) {
      const flags = family === '-6' ? ['nodad'] : []
      await exec('ip', [family, 'address', 'add', gateway, 'dev', 'fabric', ...flags])
    }
  }
  await exec('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  for (const node of cluster.nodes) {
    await node.ip('route', 'add', 'default', 'via', node.address.replace(/\d+$/, '1'))
    await node.ip('-6', 'route', 'add', 'default', 'via', node.address6.replace(/\d+$/, '1'))
  }
}

async function podOn(node: RoutedNode, name: string): Promise<Attached> {
  const pod = await cluster.createPod(name)
  const { result } = await cluster.attach(node, pod)
  const [v4 = '', v6 = ''] = result.ips.map(({ address }) => address.split('/')[0] ?? '')
  return { pod, v4, v6 }
}

type Place = Pick<TestPod, 'exec'>

function ping(from: Place, to: string, ...more: string[]): Promise<string> {
  return from.exec('busybox', 'ping', to.includes(':') ? '-6' : '-4', '-c', '1', '-W', '1', ...more, to)
}

/** A packet every 10 ms between the pods that are there; resolves with ping's summary. */
function probe(count: number): Promise<string> {
  const answers = ping(here.pod, there.v6, '-c', String(count), '-i', '0.01', '-q')
  answers.catch(() => {})
  return answers
}

async function setMode(vxlanMode: string, pool: 4 | 6 = 6): Promise<void> {
  await cluster.kube.patch(ipPools, `default-ipv${pool}-ippool`, { type: 'merge', body: { spec: { vxlanMode } } })
}

async function annotationsOf(node: RoutedNode): Promise<Record<string, string>> {
  const { metadata } = await cluster.kube.get(nodes, node.name)
  const known = Object.entries(metadata.annotations ?? {})
  return Object.fromEntries(known.map(([key, value]) => [key.replace('projectcalico.org/', ''), value]))
}

const wayTo = (node: RoutedNode, address: string): Promise<string> => node.ip('-6', 'route', 'get', address)

/** Of the other two nodes. */
async function tunnelIsThere(node: RoutedNode): Promise<void> {
  expect((await node.exec('bridge', 'fdb', 'show', 'dev', device)).match(/ dst /g)).toHaveLength(2)
}

describe('in a cluster of two subnets', () => {
  beforeAll(async () => {
    cluster = await createRoutedCluster(
      { work01: '192.168.100.101', work02: '192.168.100.102', remote: '192.168.101.103' },
      { ipv6PoolCidr: 'fd00:10:244::/64' },
    )
    ;[work01, work02, remote] = cluster.nodes as [RoutedNode, RoutedNode, RoutedNode]
    await connectSubnets()
    here = await podOn(work01, 'here')
    there = await podOn(work02, 'there')
    await eventually('the way by BGP', () => ping(here.pod, there.v6))
  })

  afterAll(() => cluster?.stop())

  describe('an IPv6 pool with vxlanMode Always', () => {
    it('set on a running cluster loses no packet between pods that are there', async () => {
      const answers = probe(300)
      await setMode('Always')
      await eventually('the tunnel', async () => {
        expect(await wayTo(work01, there.v6)).toContain(`dev ${device}`)
        expect(await wayTo(work02, here.v6)).toContain(`dev ${device}`)
      })
      expect(await answers).toContain('300 packets transmitted, 300 packets received')
    })

    it("has Calico's device, address, annotations, entries and routes, and none of IPv4's", async () => {
      await eventually('all ends', () => tunnelIsThere(work01))
      const [own, other] = [await annotationsOf(work01), await annotationsOf(work02)]
      const holders = (await cluster.kube.list(ipamBlocks)).items.flatMap(allocationsOf)
      const held = holders.find(({ attributes }) => attributes.handle_id === 'vxlan-v6-tunnel-addr-work01')
      expect(held?.attributes.secondary).toMatchObject({ node: 'work01', type: 'vxlanV6TunnelAddress' })
      // printf work01-v6 | sha1sum
      expect(own).toMatchObject({ IPv6VXLANTunnelAddr: held?.address, VXLANTunnelMACAddrV6: '66:b2:6a:e9:b6:64' })
      expect(own).not.toHaveProperty('IPv4VXLANTunnelAddr')
      expect(await work01.ip('-d', 'link', 'show', device)).toMatch(
        /mtu 1430[\s\S]*66:b2:6a:e9:b6:64[\s\S]*vxlan id 4096 local fd00:100::101 .*dstport 4789 nolearning/,
      )
      expect(await work01.ip('-br', 'address', 'show', device)).toContain(`${own.IPv6VXLANTunnelAddr}/128`)
      expect(await work01.exec('bridge', 'fdb', 'show', 'dev', device)).toContain(
        `${other.VXLANTunnelMACAddrV6} dst fd00:100::102 self permanent`,
      )
      expect(await work01.ip('-6', 'neighbor', 'show', 'dev', device)).toContain(
        `${other.IPv6VXLANTunnelAddr} lladdr ${other.VXLANTunnelMACAddrV6} PERMANENT`,
      )
      expect(await work01.ip('-6', 'route', 'show', 'proto', '80')).toContain(
        `via ${other.IPv6VXLANTunnelAddr} dev ${device} metric 16 onlink`,
      )
      expect(await work01.kernel.findLink(undefined, 'vxlan.calico')).toBeUndefined()
      expect(await work01.ip('-4', 'route', 'get', there.v4)).toContain('dev ens2')
    })

    it('keeps BIRD away: it gives the kernel no route to other nodes of its own for the pool, and learns none', async () => {
      await eventually('BIRD to step back', async () => {
        const routes = await work01.kernel.routes(undefined, { family: 6, protocol: 12 })
        expect(routes.filter(({ gateway }) => gateway !== undefined)).toEqual([])
      })
      expect(JSON.stringify(await queryBird(work01.birdSocket, 'show route all'))).not.toContain('krt_source: 80')
    })

    it('leaves room for the outer headers, and carries full packets to other subnets without any BIRD', async () => {
      for (const node of cluster.nodes) await node.stopBird()
      const [late, far] = [await podOn(work01, 'late'), await podOn(remote, 'far')]
      expect(await late.pod.exec('ip', 'link', 'show', 'eth0')).toContain('mtu 1430')
      await eventually('the tunnel to the other subnet', () => ping(late.pod, far.v6, '-s', '1382'))
      await ping(far.pod, late.v6)
      await ping(work01, far.v6)
      for (const node of cluster.nodes) await node.startBird()
    })

    it.each([
      ['the device is deleted', () => work01.ip('link', 'del', device)],
      ['the device is set down', () => work01.ip('link', 'set', device, 'down')],
      ['the routes are deleted', () => work01.ip('-6', 'route', 'flush', 'proto', '80')],
      ['the neighbours are deleted', () => work01.ip('-6', 'neighbor', 'flush', 'nud', 'permanent', 'dev', device)],
      [
        'a far end is deleted',
        async () => {
          const mac = (await annotationsOf(work02)).VXLANTunnelMACAddrV6 ?? ''
          await work01.exec('bridge', 'fdb', 'del', mac, 'dev', device)
        },
      ],
    ])('is as it was at once when %s', async (_, damage) => {
      const count = async (): Promise<number> => {
        const gauges = (await work01.nodeSide.gauges?.()) ?? []
        const values = gauges.find(({ name }) => name === 'twinlane_routed_repairs')?.values ?? []
        return values.find(({ labels }) => labels.what === 'tunnel')?.value ?? 0
      }
      const before = await count()
      await damage()
      await eventually('the count', async () => expect(await count()).toBeGreaterThan(before))
      await eventually('the tunnel', async () => {
        await tunnelIsThere(work01)
        expect(await wayTo(work01, there.v6)).toContain(`dev ${device}`)
        await ping(here.pod, there.v6)
      })
    })

    it('is beside a tunnel of IPv4, each on its own device', async () => {
      await setMode('Always', 4)
      await eventually('both tunnels', async () => {
        expect(await work01.ip('-4', 'route', 'get', there.v4)).toContain('dev vxlan.calico')
        await ping(here.pod, there.v4)
      })
      await ping(here.pod, there.v6)
      await setMode('Never', 4)
      await eventually('the way by BGP', async () => {
        expect(await work01.ip('-4', 'route', 'get', there.v4)).toContain('dev ens2')
      })
      await ping(here.pod, there.v6)
    })

    it('ends without a lost packet, and leaves no device, no address and no annotation', {
      timeout: 90_000,
    }, async () => {
      await eventually('sessions', async () => {
        const routes = await queryBird(work02.birdSocket, 'show route where source = RTS_BGP && net.type = NET_IP6')
        expect(JSON.stringify(routes)).toContain('fd00:10:244')
      })
      // Nothing has happened on the nodes for an hour.
      const now = Date.now.bind(Date)
      const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000)
      onTestFinished(() => clock.mockRestore())
      const answers = probe(400)
      await setMode('Never')
      await eventually('the way by BGP', async () => expect(await wayTo(work01, there.v6)).toContain('dev ens2'))
      // Other nodes may hear of it later than this one.
      expect(await work01.kernel.findLink(undefined, device)).toBeDefined()
      expect(await answers).toContain('400 packets transmitted, 400 packets received')
      await eventually(
        'the end of the tunnels',
        async () => {
          for (const node of cluster.nodes) {
            expect(await node.kernel.findLink(undefined, device)).toBeUndefined()
            expect(await node.kernel.routes(undefined, { protocol: 80 })).toEqual([])
            expect(Object.keys(await annotationsOf(node))).toEqual(['IPv4Address', 'IPv6Address'])
          }
          const handles = (await cluster.kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID)
          expect(handles.filter((handle) => handle.includes('tunnel'))).toEqual([])
        },
        40_000,
      )
    })
  })

  describe('an IPv6 pool with vxlanMode CrossSubnet', () => {
    it('sends directly within the subnet and through the tunnel to others, both without BGP', async () => {
      const far = await podOn(remote, 'cross-far')
      for (const node of cluster.nodes) await node.stopBird()
      await setMode('CrossSubnet')
      await eventually('both ways', async () => {
        expect(await work01.ip('-6', 'route', 'show', 'proto', '80')).toContain(`via ${work02.address6} dev ens2`)
        expect(await wayTo(work01, far.v6)).toContain(`dev ${device}`)
        for (const target of [there, far]) await ping(here.pod, target.v6)
        await ping(far.pod, there.v6)
      })
    })

    it('is taken back with everything else by an agent that is told to', async () => {
      await work02.nodeSide.stop()
      for (const _ of [1, 2]) await work02.nodeSide.remove?.(AbortSignal.timeout(10_000))
      expect(await work02.kernel.findLink(undefined, device)).toBeUndefined()
      expect(await work02.ip('-6', 'route', 'show', 'proto', '80')).toBe('')
      expect(await work02.exec('nft', 'list', 'tables')).toBe('')
      expect(Object.keys(await annotationsOf(work02))).toEqual(['IPv4Address', 'IPv6Address'])
    })
  })
})

describe('a node without an IPv6 address', () => {
  it('refuses pods of an IPv6 pool with VXLAN, with the reason', async () => {
    const lone = await createRoutedCluster(
      { lone: '192.168.100.104' },
      { ip6AutodetectionMethod: 'none', ipv6PoolCidr: 'fd00:10:244::/64', ipv6VxlanMode: 'Always' },
    )
    try {
      const node = lone.nodes[0] as RoutedNode
      const pod = await lone.createPod('refused')
      await expect(lone.attach(node, pod)).rejects.toMatchObject({
        message: expect.stringContaining('this node has no IPv6 address, which VXLAN over IPv6 needs'),
        fix: expect.stringContaining('ip6AutodetectionMethod'),
      })
    } finally {
      await lone.stop()
    }
  })
})
