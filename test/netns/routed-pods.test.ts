import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { allocationsOf } from '../../src/networks/routed/ipam/block.ts'
import { hostInterfaceName } from '../../src/networks/routed/node/names.ts'
import { ipamBlocks, ipamHandles } from '../../src/networks/routed/resources.ts'
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
  cluster = await createRoutedCluster({ work01: '192.168.100.101', work02: '192.168.100.102' })
  ;[work01, work02] = cluster.nodes as [RoutedNode, RoutedNode]
})

afterAll(() => cluster?.stop())

interface Attached {
  readonly pod: TestPod
  readonly address: string
}

async function podOn(node: RoutedNode, name: string): Promise<Attached> {
  const pod = await cluster.createPod(name)
  return { pod, address: (await cluster.attach(node, pod)).address }
}

function ping(from: { exec(command: string, ...args: string[]): Promise<string> }, to: string, ...more: string[]) {
  return from.exec('busybox', 'ping', '-c', '1', '-W', '1', ...more, to)
}

describe('a pod on the routed network', () => {
  let one: Attached

  beforeAll(async () => {
    one = await podOn(work01, 'one')
  })

  it('has a /32 on eth0 with the MTU of the node and no other address', async () => {
    const shown = await one.pod.exec('ip', '-br', 'address', 'show', 'eth0')
    expect(shown.trim().split(/\s+/).slice(2)).toEqual([`${one.address}/32`])
    expect(await one.pod.exec('ip', 'link', 'show', 'eth0')).toContain('mtu 1500')
  })

  it("has exactly the article's two routes", async () => {
    const routes = (await one.pod.exec('ip', 'route')).split('\n').map((line) => line.trim())
    expect(routes).toEqual(['default via 169.254.1.1 dev eth0', '169.254.1.1 dev eth0 scope link', ''])
  })

  it('is a route over its own interface on the node', async () => {
    const hostName = hostInterfaceName(one.pod.request.pod, 'eth0')
    expect(await work01.ip('route', 'show', one.address)).toContain(`dev ${hostName} scope link`)
    expect(await work01.ip('link', 'show', hostName)).toContain('ee:ee:ee:ee:ee:ee')
  })

  it('and its node reach each other', async () => {
    await ping(work01, one.address)
    await ping(one.pod, work01.address)
  })

  it('reaches a pod on the same node and one on another node, in full packets', async () => {
    const neighbour = await podOn(work01, 'neighbour')
    const far = await podOn(work02, 'far')
    await ping(one.pod, neighbour.address, '-s', '1472')
    await eventually('the way to the other node', () => ping(one.pod, far.address, '-s', '1472'))
    await eventually('the way from the other node', () => ping(work02, one.address))
  })

  it('keeps its own address towards pods, and takes the address of the node towards the outside', async () => {
    const far = await podOn(work02, 'sees-source')
    await work02.ip('address', 'add', '203.0.113.1/32', 'dev', 'lo')
    await work01.ip('route', 'add', '203.0.113.1/32', 'via', work02.address)
    expect(await sourceSeenBy(far.pod, one.pod, far.address)).toBe(one.address)
    expect(await sourceSeenBy(work02, one.pod, '203.0.113.1')).toBe(work01.address)
  })

  it('gets nothing through with a source address that is not its own', async () => {
    const forger = await podOn(work01, 'forger')
    await forger.pod.exec('ip', 'address', 'add', '10.244.77.77/32', 'dev', 'eth0')
    expect(await succeeds(ping(forger.pod, one.address))).toBe(true)
    expect(await succeeds(ping(forger.pod, one.address, '-I', '10.244.77.77'))).toBe(false)
    expect(await work01.exec('nft', 'list', 'chain', 'inet', 'twinlane-senders', 'senders')).toMatch(
      /counter packets [1-9]/,
    )
    // The address of another pod, whose route leads elsewhere.
    await forger.pod.exec('ip', 'address', 'add', `${one.address}/32`, 'dev', 'eth0')
    expect(await succeeds(ping(forger.pod, work01.address, '-I', one.address))).toBe(false)
  })
})

/** Who a TCP server at `to` believes to be called by. */
async function sourceSeenBy(
  server: { exec(command: string, ...args: string[]): Promise<string> },
  client: TestPod,
  to: string,
): Promise<string> {
  const script = (text: string) => ['python3', '-c', text] as const
  const seen = server.exec(
    ...script(`import socket
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("${to}", 7777)); s.listen(); s.settimeout(10)
c,a=s.accept(); print(a[0])`),
  )
  await eventually(`a server on ${to}`, () =>
    client.exec(...script(`import socket; socket.create_connection(("${to}", 7777), 2)`)),
  )
  return (await seen).trim()
}

describe('detaching', () => {
  /** What there is, when the handles have followed the blocks. */
  async function inventory(): Promise<string[]> {
    await eventually('the handles', async () => {
      const { items } = await cluster.kube.list(ipamBlocks)
      const wanted = items.flatMap(allocationsOf).flatMap(({ attributes }) => attributes.handle_id ?? [])
      const found = (await cluster.kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID)
      expect(found.sort()).toEqual([...new Set(wanted)].sort())
    })
    const links = (await work01.kernel.links(undefined)).map(({ name }) => name)
    const routes = (await work01.kernel.routes(undefined, { family: 4 })).map(({ destination }) => destination)
    const addresses = (await cluster.kube.list(ipamBlocks)).items.flatMap(allocationsOf).map(({ address }) => address)
    const handles = (await cluster.kube.list(ipamHandles)).items.map(({ metadata }) => metadata.name)
    return [...links, ...routes, ...addresses, ...handles]
  }

  it('leaves nothing, also when the namespace is gone', async () => {
    const before = await inventory()
    const pods = [await podOn(work01, 'gone1'), await podOn(work01, 'gone2')]
    expect(await inventory()).not.toEqual(before)
    await exec('ip', ['netns', 'del', 'pod-gone2'])
    for (const { pod } of pods) await work01.nodeSide.detach(pod.request, AbortSignal.timeout(5000))
    expect(await inventory()).toEqual(before)
  })

  it('of an old sandbox leaves the interface of the new one', async () => {
    const { pod } = await podOn(work01, 'again')
    const second = await cluster.createPod('again-new')
    const renewed = { ...second.request, pod: pod.request.pod }
    const result = await work01.nodeSide.attach(renewed, AbortSignal.timeout(5000))
    await work01.nodeSide.detach(pod.request, AbortSignal.timeout(5000))
    expect(await work01.nodeSide.verify(renewed, result)).toEqual([])
    await ping(work01, result.ips[0]?.address.split('/')[0] ?? '')
    await work01.nodeSide.detach(renewed, AbortSignal.timeout(5000))
    expect(await work01.kernel.findLink(undefined, hostInterfaceName(renewed.pod, 'eth0'))).toBeUndefined()
  })

  it('succeeds while the API server is away, and gives the address back later', async () => {
    const { KubeError } = await import('../../src/kube/errors.ts')
    const before = await inventory()
    const { pod } = await podOn(work01, 'offline')
    cluster.kube.intercept(({ type }) => {
      if (type?.kind.startsWith('IPAM')) throw new KubeError('no answer', { statusCode: 0 })
    })
    await work01.nodeSide.detach(pod.request, AbortSignal.timeout(5000))
    expect(await work01.kernel.findLink(undefined, hostInterfaceName(pod.request.pod, 'eth0'))).toBeUndefined()
    cluster.kube.intercept(undefined)
    await eventually('the release', async () => expect(await inventory()).toEqual(before))
  })
})

describe('a second interface of the same pod', () => {
  it('has its own host interface and address, and leaves the default route alone', async () => {
    const { pod } = await podOn(work01, 'twice')
    const request = { ...pod.request, ifName: 'net1', isDefault: false }
    const result = await work01.nodeSide.attach(request, AbortSignal.timeout(5000))
    expect(result.routes).toEqual([])
    expect(await pod.exec('ip', 'route', 'show', 'default')).toContain('dev eth0')
    await work01.nodeSide.detach(request, AbortSignal.timeout(5000))
    expect(
      await work01.nodeSide.verify(pod.request, await work01.nodeSide.attach(pod.request, AbortSignal.timeout(5000))),
    ).toEqual([])
  })
})
