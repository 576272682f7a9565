import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { queryBird } from '../../src/bird/control.ts'
import { nodes } from '../../src/kube/resources/core.ts'
import { allocationsOf } from '../../src/networks/routed/ipam/block.ts'
import { ipamBlocks, ipamHandles, ipPools } from '../../src/networks/routed/resources.ts'
import { kernelHas } from './support/kernel-has.ts'
import {
  createRoutedCluster,
  eventually,
  type RoutedCluster,
  type RoutedNode,
  type TestPod,
} from './support/routed-cluster.ts'

interface Attached {
  readonly pod: TestPod
  readonly address: string
}

let cluster: RoutedCluster
let work01: RoutedNode
let work02: RoutedNode
let remote: RoutedNode

beforeAll(async () => {
  cluster = await createRoutedCluster({
    work01: '192.168.100.101',
    work02: '192.168.100.102',
    remote: '192.168.101.103',
  })
  ;[work01, work02, remote] = cluster.nodes as [RoutedNode, RoutedNode, RoutedNode]
  await connectSubnets()
})

afterAll(() => cluster?.stop())

/** The root of the test's namespace routes between the two subnets, and knows nothing of pods. */
async function connectSubnets(): Promise<void> {
  for (const gateway of ['192.168.100.1/24', '192.168.101.1/24']) {
    await exec('ip', ['address', 'add', gateway, 'dev', 'fabric'])
  }
  await exec('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.send_redirects=0'])
  for (const node of cluster.nodes) {
    const gateway = node.address.replace(/\d+$/, '1')
    await node.ip('route', 'add', 'default', 'via', gateway)
  }
}

async function podOn(node: RoutedNode, name: string): Promise<Attached> {
  const pod = await cluster.createPod(name)
  return { pod, address: (await cluster.attach(node, pod)).address }
}

async function setModes(modes: { vxlanMode?: string; ipipMode?: string }): Promise<void> {
  const spec = { vxlanMode: 'Never', ipipMode: 'Never', ...modes }
  await cluster.kube.patch(ipPools, 'default-ipv4-ippool', { type: 'merge', body: { spec } })
}

function ping(from: { exec(command: string, ...args: string[]): Promise<string> }, to: string, ...more: string[]) {
  return from.exec('busybox', 'ping', '-c', '1', '-W', '1', ...more, to)
}

/** A packet every 10 ms from a pod to one on another node; resolves with ping's summary. */
function probe({ here, there }: { here: Attached; there: Attached }, count: number): Promise<string> {
  const answers = ping(here.pod, there.address, '-c', String(count), '-i', '0.01', '-q')
  answers.catch(() => {})
  return answers
}

/** What the pod knows of the way after it has sent a full packet that must not be fragmented. */
async function pathMtu(pod: TestPod, to: string): Promise<number> {
  const script = `import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)
s.connect(("${to}", 9))
for _ in range(20):
    try:
        s.send(b"x" * 1472)
    except OSError:
        pass
    if s.getsockopt(socket.IPPROTO_IP, 14) < 1500: break
    time.sleep(0.05)
print(s.getsockopt(socket.IPPROTO_IP, 14))`
  return Number(await pod.exec('python3', '-c', script))
}

async function annotationsOf(node: RoutedNode): Promise<Record<string, string>> {
  const { metadata } = await cluster.kube.get(nodes, node.name)
  const known = Object.entries(metadata.annotations ?? {})
  return Object.fromEntries(known.map(([key, value]) => [key.replace('projectcalico.org/', ''), value]))
}

/** How a node reaches a pod's address: the lines of `ip route get`. */
function wayTo(node: RoutedNode, address: string): Promise<string> {
  return node.ip('route', 'get', address)
}

async function packetsThroughTunnel(node: RoutedNode): Promise<number> {
  const text = await node.ip('-s', '-j', 'link', 'show', 'vxlan.calico')
  return (JSON.parse(text) as { stats64: { tx: { packets: number } } }[])[0]?.stats64.tx.packets ?? 0
}

describe('vxlanMode Always', () => {
  let before: { here: Attached; there: Attached }

  beforeAll(async () => {
    before = { here: await podOn(work01, 'before-here'), there: await podOn(work02, 'before-there') }
    await eventually('the way by BGP', () => ping(before.here.pod, before.there.address))
    expect(await wayTo(work01, before.there.address)).toContain(`via ${work02.address} dev ens2`)
  })

  it('set on a running cluster loses no packet between pods that are there', async () => {
    const answers = probe(before, 300)
    await setModes({ vxlanMode: 'Always' })
    await eventually('the tunnel', async () => {
      expect(await wayTo(work01, before.there.address)).toContain('dev vxlan.calico')
      expect(await wayTo(work02, before.here.address)).toContain('dev vxlan.calico')
    })
    expect(await answers).toContain('300 packets transmitted, 300 packets received')
    expect(await packetsThroughTunnel(work01)).toBeGreaterThan(0)
  })

  it("gives each node an address of the pool and a MAC that follows from its name, as the Node's annotations say", async () => {
    const found = await annotationsOf(work01)
    const holders = (await cluster.kube.list(ipamBlocks)).items.flatMap(allocationsOf)
    const own = holders.find(({ attributes }) => attributes.handle_id === 'vxlan-tunnel-addr-work01')
    expect(own?.attributes.secondary).toMatchObject({ node: 'work01', type: 'vxlanTunnelAddress' })
    expect(found).toMatchObject({ IPv4VXLANTunnelAddr: own?.address, VXLANTunnelMACAddr: '66:65:96:08:cc:c8' })
    expect(await work01.ip('-d', 'link', 'show', 'vxlan.calico')).toMatch(
      /mtu 1450[\s\S]*66:65:96:08:cc:c8[\s\S]*vxlan id 4096 local 192\.168\.100\.101 .*dstport 4789 nolearning/,
    )
    expect(await work01.ip('-br', 'address', 'show', 'vxlan.calico')).toContain(`${own?.address}/32`)
  })

  it('needs entries for every other node and no more: FDB, neighbour and a route a block', async () => {
    const other = await annotationsOf(work02)
    const fdb = await work01.exec('bridge', 'fdb', 'show', 'dev', 'vxlan.calico')
    expect(fdb.trim().split('\n')).toHaveLength(2)
    expect(fdb).toContain(`${other.VXLANTunnelMACAddr} dst 192.168.100.102 self permanent`)
    expect(await work01.ip('neighbor', 'show', 'dev', 'vxlan.calico')).toContain(
      `${other.IPv4VXLANTunnelAddr} lladdr ${other.VXLANTunnelMACAddr} PERMANENT`,
    )
    const routes = await work01.ip('route', 'show', 'proto', '80')
    expect(routes).toContain(`via ${other.IPv4VXLANTunnelAddr} dev vxlan.calico onlink`)
    expect(routes.trim().split('\n')).toHaveLength(2)
  })

  it('keeps BIRD away: it neither learns the routes of tunnels nor gives the kernel its own for the pool', async () => {
    await eventually('BIRD to step back', async () => {
      const remoteRoutes = (await work01.kernel.routes(undefined, { family: 4, protocol: 12 })).filter(
        ({ gateway }) => gateway !== undefined,
      )
      expect(remoteRoutes).toEqual([])
    })
    const shown = JSON.stringify(await queryBird(work01.birdSocket, 'show route all'))
    expect(shown).not.toContain('vxlan.calico onlink')
    expect(shown).not.toContain('krt_source: 80')
  })

  it('leaves room for the outer headers: new pods have a smaller MTU, older ones learn the path MTU', async () => {
    const late = await podOn(work01, 'late')
    expect(await late.pod.exec('ip', 'link', 'show', 'eth0')).toContain('mtu 1450')
    await ping(late.pod, before.there.address, '-s', '1422')
    expect(await pathMtu(before.here.pod, before.there.address)).toBe(1450)
  })

  it('lets nodes and pods of other nodes reach each other, from the address of the tunnel', async () => {
    await ping(work01, before.there.address)
    expect(await wayTo(work01, before.there.address)).toContain(
      `src ${(await annotationsOf(work01)).IPv4VXLANTunnelAddr}`,
    )
  })

  it("follows the MTU of the node's NIC", async () => {
    await work01.ip('link', 'set', 'ens2', 'mtu', '1400')
    await eventually('the smaller tunnel', async () => {
      expect(await work01.ip('link', 'show', 'vxlan.calico')).toContain('mtu 1350')
    })
    const small = await podOn(work01, 'small')
    expect(await small.pod.exec('ip', 'link', 'show', 'eth0')).toContain('mtu 1350')
    await work01.ip('link', 'set', 'ens2', 'mtu', '1500')
    await eventually('the larger tunnel', async () => {
      expect(await work01.ip('link', 'show', 'vxlan.calico')).toContain('mtu 1450')
    })
  })

  it('reaches across subnets whose router knows nothing of pods, and with no BIRD at all', async () => {
    for (const node of cluster.nodes) await node.stopBird()
    const far = await podOn(remote, 'far')
    const fresh = await podOn(work01, 'fresh')
    await eventually('the tunnel to the other subnet', () => ping(fresh.pod, far.address))
    await ping(far.pod, fresh.address)
    for (const node of cluster.nodes) await node.startBird()
  })

  it('ends without a lost packet, and leaves no device, no address and no annotation', {
    timeout: 60_000,
  }, async () => {
    await eventually('sessions', () => routesOfBgp(work02))
    const answers = probe(before, 400)
    await setModes({})
    expect(await answers).toContain('400 packets transmitted, 400 packets received')
    await eventually('the way by BGP', async () => {
      expect(await wayTo(work01, before.there.address)).toContain(`via ${work02.address} dev ens2`)
    })
    await eventually(
      'the end of the tunnels',
      async () => {
        for (const node of cluster.nodes) {
          expect(await node.kernel.findLink(undefined, 'vxlan.calico')).toBeUndefined()
          expect(await node.kernel.routes(undefined, { protocol: 80 })).toEqual([])
          expect(Object.keys(await annotationsOf(node))).toEqual(['IPv4Address'])
        }
        const handles = (await cluster.kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID)
        expect(handles.filter((handle) => handle.includes('tunnel'))).toEqual([])
      },
      30_000,
    )
  })
})

/** Resolves when BIRD has learned from others what is in their blocks. */
async function routesOfBgp(node: RoutedNode): Promise<void> {
  expect(JSON.stringify(await queryBird(node.birdSocket, 'show route where source = RTS_BGP'))).toContain('10.244.')
}

describe('vxlanMode CrossSubnet', () => {
  it('sends directly within the subnet and through the tunnel to others, both without BGP', async () => {
    const [here, near, far] = [
      await podOn(work01, 'cross-here'),
      await podOn(work02, 'cross-near'),
      await podOn(remote, 'cross-far'),
    ]
    for (const node of cluster.nodes) await node.stopBird()
    await setModes({ vxlanMode: 'CrossSubnet' })
    await eventually('both ways', async () => {
      expect(await work01.ip('route', 'show', 'proto', '80')).toContain(`via ${work02.address} dev ens2`)
      expect(await wayTo(work01, far.address)).toContain('dev vxlan.calico')
      expect(await wayTo(remote, here.address)).toContain('dev vxlan.calico')
    })
    for (const target of [near, far]) await ping(here.pod, target.address)
    await ping(far.pod, near.address)
    for (const node of cluster.nodes) await node.startBird()
  })
})

describe('a node that is deleted', () => {
  it('is forgotten by the tunnels of the others', async () => {
    await setModes({ vxlanMode: 'Always' })
    await eventually('all ends', async () => {
      expect(await work01.exec('bridge', 'fdb', 'show', 'dev', 'vxlan.calico')).toContain(`dst ${remote.address}`)
    })
    await remote.nodeSide.stop()
    await cluster.kube.delete(nodes, 'remote')
    await eventually('its end', async () => {
      const fdb = await work01.exec('bridge', 'fdb', 'show', 'dev', 'vxlan.calico')
      expect(fdb).not.toContain(remote.address)
      expect(fdb).toContain(work02.address)
      expect((await work01.ip('neighbor', 'show', 'dev', 'vxlan.calico')).trim().split('\n')).toHaveLength(1)
    })
  })
})

describe('an agent that is told to take back what it did', () => {
  it('leaves no tunnel, no route, no table, no address and no annotation', async () => {
    await setModes({ vxlanMode: 'Always' })
    await eventually('the tunnel', async () => expect(await work02.ip('route', 'show', 'proto', '80')).not.toBe(''))
    await work02.nodeSide.stop()
    for (const _ of [1, 2]) await work02.nodeSide.remove?.(AbortSignal.timeout(10_000))
    expect(await work02.kernel.findLink(undefined, 'vxlan.calico')).toBeUndefined()
    expect(await work02.ip('route', 'show', 'proto', '80')).toBe('')
    expect(await work02.exec('nft', 'list', 'tables')).toBe('')
    expect(Object.keys(await annotationsOf(work02))).toEqual(['IPv4Address'])
    const holders = (await cluster.kube.list(ipamBlocks)).items.flatMap(allocationsOf)
    expect(holders.map(({ attributes }) => attributes.handle_id)).not.toContain('vxlan-tunnel-addr-work02')
  })
})

describe.skipIf(await kernelHas('ipip'))('an encapsulation that the kernel does not have', () => {
  beforeEach(() => setModes({ ipipMode: 'Always' }))

  it('refuses new pods of the pool with the reason, and takes them again when the mode is taken back', async () => {
    await eventually('the problem', async () => expect(work01.nodeSide.status().problems.join()).toContain('ipip'))
    const pod = await cluster.createPod('refused')
    await expect(cluster.attach(work01, pod)).rejects.toMatchObject({
      message: expect.stringContaining("this node's kernel has no IP-in-IP (module ipip)"),
      fix: expect.stringContaining('modprobe ipip'),
    })
    expect((await pod.exec('ip', '-br', 'link')).trim().split('\n')).toHaveLength(1)
    await setModes({})
    await eventually('the end of the problem', async () => expect(work01.nodeSide.status().isReady).toBe(true))
    await cluster.attach(work01, pod)
  })
})
