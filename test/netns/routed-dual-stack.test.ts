import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allocationsOf } from '../../src/networks/routed/ipam/block.ts'
import { hostInterfaceName } from '../../src/networks/routed/node/names.ts'
import { ipamBlocks, ipPools } from '../../src/networks/routed/resources.ts'
import {
  createRoutedCluster,
  eventually,
  type RoutedCluster,
  type RoutedNode,
  succeeds,
  type TestPod,
} from './support/routed-cluster.ts'

let cluster: RoutedCluster
let work01: RoutedNode
let work02: RoutedNode

beforeAll(async () => {
  const settings = { ipv6PoolCidr: 'fd00:10:244::/64', ipv6NatOutgoing: true }
  cluster = await createRoutedCluster({ work01: '192.168.100.101', work02: '192.168.100.102' }, settings)
  ;[work01, work02] = cluster.nodes as [RoutedNode, RoutedNode]
})

afterAll(() => cluster?.stop())

interface Attached {
  readonly pod: TestPod
  readonly v4: string
  readonly v6: string
}

async function podOn(node: RoutedNode, name: string, ipam: object = {}): Promise<Attached> {
  const pod = await cluster.createPod(name, ipam)
  const { result } = await cluster.attach(node, pod)
  const [v4 = '', v6 = ''] = result.ips.map(({ address }) => address.split('/')[0] ?? '')
  return { pod, v4, v6 }
}

type Place = { exec(command: string, ...args: string[]): Promise<string> }

function ping6(from: Place, to: string, ...more: string[]): Promise<string> {
  return from.exec('busybox', 'ping', '-6', '-c', '1', '-W', '1', ...more, to)
}

const python = (text: string): [string, string, string] => ['python3', '-c', text]

/** Who a TCP server at `to` believes to be called by, and what it was told. */
async function talk(server: Place, client: Place, to: string): Promise<string> {
  const heard = server.exec(
    ...python(`import socket
s=socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("${to}", 7777)); s.listen(); s.settimeout(10)
c,a=s.accept(); print(a[0], len(c.makefile("rb").read()))`),
  )
  await eventually(`a server on ${to}`, () =>
    client.exec(
      ...python(`import socket
s=socket.create_connection(("${to}", 7777), 2); s.sendall(b"x"*100000)`),
    ),
  )
  return (await heard).trim()
}

describe('a pod with both families', () => {
  let one: Attached

  beforeAll(async () => {
    one = await podOn(work01, 'one')
  })

  it('has a /32 and a /128, each usable at once, and default routes by the two gateways of its host end', async () => {
    const shown = await one.pod.exec('ip', '-o', 'address', 'show', 'dev', 'eth0', 'scope', 'global')
    expect(shown).toContain(`inet ${one.v4}/32`)
    expect(shown).toContain(`inet6 ${one.v6}/128`)
    expect(shown).not.toContain('tentative')
    expect(one.v6).toMatch(/^fd00:10:244:/)
    expect(await one.pod.exec('ip', '-4', 'route', 'show', 'default')).toContain('via 169.254.1.1')
    expect(await one.pod.exec('ip', '-6', 'route', 'show', 'default')).toContain('via fe80::ecee:eeff:feee:eeee')
  })

  it('is a route over its own interface on the node in both families, and the node is its neighbour', async () => {
    const hostName = hostInterfaceName(one.pod.request.pod, 'eth0')
    expect(await work01.ip('route', 'show', one.v4)).toContain(`dev ${hostName} scope link`)
    expect(await work01.ip('-6', 'route', 'show', one.v6)).toContain(`dev ${hostName}`)
    const linkLocal = await work01.ip('-6', '-o', 'address', 'show', 'dev', hostName)
    expect(linkLocal.trim().split('\n')).toHaveLength(1)
    expect(linkLocal).toContain('fe80::ecee:eeff:feee:eeee/64')
  })

  it('has a block of each family on the node', async () => {
    const blocks = (await cluster.kube.list(ipamBlocks)).items.filter(({ spec }) => spec.affinity === 'host:work01')
    expect(blocks.map(({ spec }) => spec.cidr.split('/')[1]).sort()).toEqual(['122', '24'])
  })

  it('and its node, a pod on the same node and one on another node talk over IPv6, in full packets and by TCP', async () => {
    await ping6(work01, one.v6)
    await ping6(one.pod, work01.address6)
    const neighbour = await podOn(work01, 'neighbour')
    await ping6(one.pod, neighbour.v6, '-s', '1452')
    const far = await podOn(work02, 'far')
    await eventually('the way to the other node', () => ping6(one.pod, far.v6, '-s', '1452'))
    await eventually('the way from the other node', () => ping6(work02, one.v6))
    expect(await talk(far.pod, one.pod, far.v6)).toBe(`${one.v6} 100000`)
  })

  it('takes the address of its node towards the outside where the pool says so', async () => {
    await work02.ip('address', 'add', '2001:db8::1/128', 'dev', 'lo', 'nodad')
    await work01.ip('route', 'add', '2001:db8::1/128', 'via', work02.address6)
    expect(await talk(work02, one.pod, '2001:db8::1')).toBe(`${work01.address6} 100000`)
  })

  it('gets nothing through with a source address that is not its own', async () => {
    const forger = await podOn(work01, 'forger')
    for (const forged of ['fd00:10:244::dead', one.v6]) {
      await forger.pod.exec('ip', 'address', 'add', `${forged}/128`, 'dev', 'eth0', 'nodad')
      expect(await succeeds(ping6(forger.pod, work01.address6, '-I', forged))).toBe(false)
    }
    expect(await succeeds(ping6(forger.pod, work01.address6, '-I', forger.v6))).toBe(true)
  })

  it('is checked in both families', async () => {
    const checked = await podOn(work01, 'checked')
    const { result } = await cluster.attach(work01, checked.pod)
    expect(await work01.nodeSide.verify(checked.pod.request, result)).toEqual([])
    await checked.pod.exec('ip', '-6', 'address', 'del', `${checked.v6}/128`, 'dev', 'eth0')
    const problems = await work01.nodeSide.verify(checked.pod.request, result)
    expect(problems.map(({ what }) => what)).toEqual([`eth0 does not have ${checked.v6}`])
  })

  it('gets its IPv6 route on the host back when somebody has deleted it', async () => {
    await work01.ip('-6', 'route', 'del', one.v6)
    await eventually('the route', async () =>
      expect(await work01.ip('-6', 'route', 'show', one.v6)).toContain('dev cali'),
    )
  })

  it('gives both addresses back', async () => {
    const gone = await podOn(work01, 'gone')
    await work01.nodeSide.detach(gone.pod.request, AbortSignal.timeout(5000))
    const held = (await cluster.kube.list(ipamBlocks)).items.flatMap(allocationsOf).map(({ address }) => address)
    expect(held).not.toContain(gone.v4)
    expect(held).not.toContain(gone.v6)
  })
})

describe('a pod with one family', () => {
  it('of IPv6 has no IPv4 at all and reaches a pod on the other node', async () => {
    const [a, b] = [await cluster.createPod('six-a', six), await cluster.createPod('six-b', six)]
    const [from, to] = [await cluster.attach(work01, a), await cluster.attach(work02, b)]
    expect(from.result.ips).toHaveLength(1)
    expect(from.result.routes).toEqual([{ dst: '::/0', gw: 'fe80::ecee:eeff:feee:eeee' }])
    expect(await a.exec('ip', '-4', '-o', 'address', 'show', 'dev', 'eth0')).toBe('')
    await eventually('the way to the other node', () => ping6(a, to.address))
    expect(await work01.nodeSide.verify(a.request, from.result)).toEqual([])
  })

  it('of IPv4 has IPv6 switched off on its interface', async () => {
    const { pod } = await podOn(work01, 'four', { assign_ipv6: 'false' })
    expect(await pod.exec('ip', '-6', '-o', 'address', 'show', 'dev', 'eth0')).toBe('')
  })
})

it('a pod that cannot get one of the families gets none, and nothing is left', async () => {
  const before = (await cluster.kube.list(ipamBlocks)).items.flatMap(allocationsOf).length
  const pod = await cluster.createPod('half', { ipv6_pools: ['no-such-pool'] })
  await expect(cluster.attach(work01, pod)).rejects.toThrow(
    'failed to request IPv6 addresses: Assigned 0 out of 1 requested IPv6 addresses; the given pool (no-such-pool)',
  )
  expect((await cluster.kube.list(ipamBlocks)).items.flatMap(allocationsOf)).toHaveLength(before)
  expect((await pod.exec('ip', '-br', 'link')).trim().split('\n')).toHaveLength(1)
})

it('the pools of the settings are made once, of each family', async () => {
  const pools = (await cluster.kube.list(ipPools)).items.map(({ metadata, spec }) => [metadata.name, spec.cidr])
  expect(pools).toEqual([
    ['default-ipv4-ippool', '10.244.0.0/16'],
    ['default-ipv6-ippool', 'fd00:10:244::/64'],
  ])
})

const six = { assign_ipv4: 'false', assign_ipv6: 'true' }
