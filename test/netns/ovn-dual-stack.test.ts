import type { ChildProcess } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type EndpointSliceResource,
  endpointSlices,
  type ServiceResource,
  services,
} from '../../src/kube/resources/core.ts'
import { ip, ipJson } from '../support/netns.ts'
import { eventually, OvnCluster, type SettingsChanges, type TestPod } from '../support/ovn-cluster.ts'
import { ask, canPing, inPod, pingFive, sendMegabyte, serveName } from '../support/pod-traffic.ts'

const outside = '2001:db8:ffff::1'

/** The hosts' addresses of IPv6 beside those of IPv4, and the settings for pods of both families. */
async function makeDual(changes: SettingsChanges): Promise<OvnCluster> {
  const cluster = await OvnCluster.make({
    netCidr: '10.144.0.0/16,fd01::/48',
    svcCidr: '10.96.0.0/16,fd02::/112',
    gatewayNextHop: '192.168.200.1,fd03::1',
    ...changes,
  })
  const { fabric, nodes } = cluster.fabric
  await inPod({ netns: fabric }, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1')
  await ip(fabric, 'addr', 'add', `${outside}/128`, 'dev', 'lo')
  await ip(fabric, 'addr', 'add', 'fd03::1/64', 'dev', 'ens3', 'nodad')
  await ip(fabric, 'addr', 'add', 'fd04::1/64', 'dev', 'ens1', 'nodad')
  for (const [index, { netns, name, management }] of nodes.entries()) {
    await ip(netns, 'addr', 'add', `fd03::${index + 11}/64`, 'dev', 'ens3', 'nodad')
    await ip(netns, 'addr', 'add', `fd04::${index + 11}/64`, 'dev', 'ens1', 'nodad')
    await ip(netns, '-6', 'route', 'add', 'default', 'via', 'fd04::1', 'dev', 'ens1')
    const addresses = [management, `fd04::${index + 11}`].map((address) => ({ type: 'InternalIP', address }))
    await cluster.kube.patch(cluster.nodeType, name, { type: 'merge', body: { status: { addresses } } })
  }
  return cluster
}

interface DualPod extends TestPod {
  readonly address6: string
}

/** A pod with the default routes of both families that the meta-plugin would set. */
async function runDual(cluster: OvnCluster, name: string, node: string): Promise<DualPod> {
  const pod = await cluster.runPod(name, node)
  const found = pod.result.ips[1]
  await ip(pod.netns, '-6', 'route', 'add', 'default', 'via', found!.gateway!, 'dev', 'eth1')
  return { ...pod, address6: found!.address.split('/')[0]! }
}

describe.each(['local', 'shared'] as const)('pods of both families in gateway mode %s', (gatewayMode) => {
  let cluster: OvnCluster
  let a: DualPod
  let a2: DualPod
  let b: DualPod
  const servers: ChildProcess[] = []

  beforeAll(async () => {
    cluster = await makeDual({ gatewayMode })
    await cluster.startAll()
    a = await runDual(cluster, 'a', 'n1')
    a2 = await runDual(cluster, 'a2', 'n1')
    b = await runDual(cluster, 'b', 'n2')
  }, 60_000)

  afterAll(async () => {
    for (const server of servers) server.kill('SIGKILL')
    await cluster.close()
  }, 60_000)

  test('have both addresses, gateways and routes, as the annotation says', async () => {
    const { default: network } = JSON.parse(cluster.annotationOf('a')!)
    expect(network).toMatchObject({
      ip_addresses: [`${a.address}/24`, `${a.address6}/64`],
      mac_address: macOfIpv4(a.address),
      // The pod asks for the default route of IPv4 by name; that of IPv6 is the network's own to offer.
      gateway_ips: ['fd01:0:0:1::1'],
      routes: [
        { dest: '10.144.0.0/16', nextHop: '10.144.0.1' },
        { dest: '10.96.0.0/16', nextHop: '10.144.0.1' },
        { dest: 'fd01::/48', nextHop: 'fd01:0:0:1::1' },
        { dest: 'fd02::/112', nextHop: 'fd01:0:0:1::1' },
      ],
    })
    expect(network).not.toHaveProperty('ip_address')
    const routes = await ipJson(a.netns, '-6', 'route', 'show', 'dev', 'eth1')
    expect(routes.map(({ dst }) => dst)).toEqual(expect.arrayContaining(['fd01::/48', 'fd02::/112', 'fd01:0:0:1::/64']))
    expect(cluster.nbctl('lsp-get-port-security', 'default_a').split('\n')).toEqual([
      `${macOfIpv4(a.address)} ${a.address} ${a.address6}`,
    ])
  })

  test('reach each other on one node and across nodes over both, with each packet delivered once', async () => {
    for (const [from, to] of [
      [a, a2],
      [a, b],
      [b, a],
    ] as const) {
      for (const address of [to.address, to.address6]) {
        expect(await canPing(from, address)).toBe(true)
        expect(await pingFive(from, address)).toMatch(/5 packets received, 0% packet loss/)
      }
    }
    expect(await sendMegabyte(a, b, b.address6)).toBe(a.address6)
  })

  test('are reached from their own host and from the other', async () => {
    for (const node of ['n1', 'n2']) {
      expect(await canPing(cluster.node(node), b.address6)).toBe(true)
      expect(await pingFive(cluster.node(node), b.address6)).toMatch(/5 packets received, 0% packet loss/)
    }
  })

  test('reach the outside by the gateway interface, with the address of the node', async () => {
    for (const [address, node] of [
      ['203.0.113.1', '192.168.200.11'],
      [outside, 'fd03::11'],
    ] as const) {
      expect(await canPing(a, address)).toBe(true)
      expect(await pingFive(a, address)).toMatch(/5 packets received, 0% packet loss/)
      expect(await sendMegabyte(a, { netns: cluster.fabric.fabric }, address)).toBe(node)
    }
  })

  test('leave the node its own IPv6 on the gateway interface', async () => {
    expect(await pingFive({ netns: cluster.fabric.fabric }, 'fd03::11')).toMatch(/5 packets received, 0% packet loss/)
    expect(await pingFive(a, 'fd03::11')).toMatch(/5 packets received, 0% packet loss/)
    expect(cluster.kubeGateway('n1')).toMatchObject({ 'ip-addresses': ['192.168.200.11/24', 'fd03::11/64'] })
  })

  test('reach a service over both, local and remote backends and themselves', async () => {
    for (const pod of [a, a2, b]) servers.push(await serveName(pod))
    await publish(cluster, [a, a2, b])
    for (const address of ['10.96.0.30', 'fd02::30']) {
      expect(new Set(await ask(a, address, 30))).toEqual(new Set(['a', 'a2', 'b']))
    }
  })
})

describe('pods of IPv6 alone', () => {
  let cluster: OvnCluster

  beforeAll(async () => {
    cluster = await makeDual({
      netCidr: 'fd01::/48',
      svcCidr: 'fd02::/112',
      gatewayNextHop: 'fd03::1',
    })
    await cluster.startAll()
  }, 60_000)

  afterAll(async () => {
    await cluster.close()
  }, 60_000)

  test('reach each other through tunnels over IPv6, and the outside through their host', async () => {
    const a = await runIpv6(cluster, 'a', 'n1')
    const b = await runIpv6(cluster, 'b', 'n2')
    const { default: network } = JSON.parse(cluster.annotationOf('a')!)
    expect(network).toMatchObject({ ip_address: a.result.ips[0]!.address, gateway_ip: 'fd01:0:0:1::1' })
    expect(await canPing(a, b.address)).toBe(true)
    expect(await pingFive(b, a.address)).toMatch(/5 packets received, 0% packet loss/)
    expect(await sendMegabyte(a, { netns: cluster.fabric.fabric }, outside)).toBe('fd03::11')
  })
})

describe('a cluster that gets IPv6 later', () => {
  test('keeps what runs as it is, and gives new pods both families', async () => {
    const cluster = await makeDual({
      netCidr: '10.144.0.0/16',
      svcCidr: '10.96.0.0/16',
      gatewayNextHop: '192.168.200.1',
    })
    try {
      await cluster.startAll()
      const old = await cluster.runPod('old', 'n1')
      expect(old.result.ips).toHaveLength(1)
      await cluster.changeSettings({
        netCidr: '10.144.0.0/16,fd01::/48',
        svcCidr: '10.96.0.0/16,fd02::/112',
        gatewayNextHop: '192.168.200.1,fd03::1',
      })
      await eventually(() => subnetsOf(cluster, 'n1').length === 2)
      expect(subnetsOf(cluster, 'n1')[0]).toBe('10.144.0.0/24')
      const young = await runDual(cluster, 'young', 'n1')
      expect(await canPing(young, outside)).toBe(true)
      expect(await canPing(young, old.address)).toBe(true)
      expect(await canPing(old, '203.0.113.1')).toBe(true)
      expect(JSON.parse(cluster.annotationOf('old')!).default.ip_addresses).toEqual([`${old.address}/24`])
    } finally {
      await cluster.close()
    }
  }, 60_000)
})

function subnetsOf(cluster: OvnCluster, node: string): string[] {
  return JSON.parse(cluster.nodes.get(node)?.metadata.annotations?.['k8s.ovn.org/node-subnets'] ?? '{}').default ?? []
}

async function runIpv6(cluster: OvnCluster, name: string, node: string): Promise<TestPod> {
  const request = await cluster.prepare(await cluster.createPod(name, node, 'yusur-ovn'))
  const result = await cluster.attach(node, request)
  const [found] = result.ips
  await ip(request.netns, '-6', 'route', 'add', 'default', 'via', found!.gateway!, 'dev', 'eth1')
  return { name, netns: request.netns, request, result, address: found!.address.split('/')[0]! }
}

function macOfIpv4(address: string): string {
  const bytes = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'))
  return ['0a', '58', ...bytes].join(':')
}

/** A service of both families in front of these pods; resolves when every node has it. */
async function publish(cluster: OvnCluster, backends: readonly DualPod[]): Promise<void> {
  const metadata = { name: 'web', namespace: 'default' }
  const clusterIPs = ['10.96.0.30', 'fd02::30']
  const slice = (family: 4 | 6): EndpointSliceResource =>
    ({
      metadata: { ...metadata, name: `web-${family}`, labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: `IPv${family}`,
      ports: [{ port: 8080, protocol: 'TCP' }],
      endpoints: backends.map((pod) => ({
        addresses: [family === 4 ? pod.address : pod.address6],
        conditions: { ready: true },
      })),
    }) as EndpointSliceResource
  for (const family of [4, 6] as const) await cluster.kube.create(endpointSlices, slice(family))
  await cluster.kube.create(services, {
    metadata,
    spec: { clusterIP: clusterIPs[0], clusterIPs, ports: [{ port: 80, protocol: 'TCP' }] },
  } as ServiceResource)
  await eventually(() => {
    const vips = cluster.nbctl('--bare', '--columns=vips', 'find', 'Load_Balancer', 'protocol=tcp')
    return backends.every((pod) => vips.includes(`[${pod.address6}]:8080`) && vips.includes(`${pod.address}:8080`))
  })
  cluster.nbctl('--wait=hv', 'sync')
}
