import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pods } from '../../src/kube/resources/core.ts'
import { parseRoutedConfig } from '../../src/networks/routed/config.ts'
import { ipPools } from '../../src/networks/routed/resources.ts'
import {
  createRoutedCluster,
  eventually,
  type RoutedCluster,
  type RoutedNode,
  type TestPod,
} from './support/routed-cluster.ts'

let cluster: RoutedCluster
let work01: RoutedNode
let work02: RoutedNode

beforeAll(async () => {
  const settings = { ipv6PoolCidr: 'fd00:10:244::/64' }
  cluster = await createRoutedCluster({ work01: '192.168.100.101', work02: '192.168.100.102' }, settings)
  ;[work01, work02] = cluster.nodes as [RoutedNode, RoutedNode]
  for (const [name, cidr] of [
    ['floating', '10.99.0.0/24'],
    ['floating6', 'fd00:99::/64'],
  ] as const) {
    cluster.kube.seed(ipPools, { metadata: { name }, spec: { cidr, assignmentMode: 'Manual' } })
  }
})

afterAll(() => cluster?.stop())

/** A pod with floating addresses whose configuration allows them. */
async function floatingPod(name: string, addresses: readonly string[]): Promise<TestPod> {
  const pod = await cluster.createPod(name)
  const annotations = { 'cni.projectcalico.org/floatingIPs': JSON.stringify(addresses) }
  cluster.kube.seed(pods, { metadata: { name, namespace: 'default', annotations } })
  await pause(50)
  const plugins = pod.request.configList.plugins.map((plugin) => ({
    ...plugin,
    feature_control: { floating_ips: true },
  }))
  return { ...pod, request: { ...pod.request, config: parseRoutedConfig({ ...pod.request.configList, plugins }) } }
}

type Place = { exec(command: string, ...args: string[]): Promise<string> }

/** Whom a TCP server in the pod believes to be called by. */
async function callerSeen(server: Place, client: Place, to: string): Promise<string> {
  const python = (text: string): [string, string, string] => ['python3', '-c', text]
  const any = to.includes(':') ? '::' : '0.0.0.0'
  const family = to.includes(':') ? 'AF_INET6' : 'AF_INET'
  const seen = server.exec(
    ...python(`import socket
s=socket.socket(socket.${family}); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("${any}", 7777)); s.listen(); s.settimeout(60)
c,a=s.accept(); print(a[0])`),
  )
  await eventually(
    `a server on ${to}`,
    () => client.exec(...python(`import socket; socket.create_connection(("${to}", 7777), 2)`)),
    // On a busy machine the route takes its time to the other node.
    45_000,
  )
  return (await seen).trim()
}

const external = ['10.99.0.7', 'fd00:99::7']

it('a pod is reached by its floating addresses of both families, from its node, its neighbours, other nodes and itself', async () => {
  const target = await floatingPod('target', external)
  const { result } = await cluster.attach(work01, target)
  expect(result.ips).toHaveLength(2)
  const [near, far] = [await cluster.createPod('near'), await cluster.createPod('far')]
  const nearAddresses = (await cluster.attach(work01, near)).result.ips.map(({ address }) => address.split('/')[0])
  const farAddresses = (await cluster.attach(work02, far)).result.ips.map(({ address }) => address.split('/')[0])
  for (const [index, address] of external.entries()) {
    expect(await callerSeen(target, near, address)).toBe(nearAddresses[index])
    expect(await callerSeen(target, far, address)).toBe(farAddresses[index])
    expect(await callerSeen(target, work02, address)).toMatch(/^(192\.168\.100\.102|fd00:100::102)$/)
    await callerSeen(target, work01, address)
    expect(await callerSeen(target, target, address)).toBe(address)
  }
  expect(await target.exec('ip', 'address')).not.toContain(external[0])
}, 120_000)

it('an address that leads to a pod already, or that IPAM has given out, is refused, and nothing is left', async () => {
  const taken = await floatingPod('taken', [external[0] ?? ''])
  await expect(cluster.attach(work01, taken)).rejects.toThrow(/floatingIPs: 10\.99\.0\.7 is in use by cali/)
  const plain = await cluster.attach(work02, await cluster.createPod('plain'))
  const stolen = await floatingPod('stolen', [plain.address])
  await expect(cluster.attach(work01, stolen)).rejects.toThrow(`${plain.address} is in use by k8s-pod-network.c-plain`)
  expect((await taken.exec('ip', '-br', 'link')).trim().split('\n')).toHaveLength(1)
})

it('an address goes with its pod, and may lead to the next one', async () => {
  const table = () => work01.exec('nft', 'list', 'table', 'inet', 'twinlane-routed')
  const first = await floatingPod('first', ['10.99.0.9'])
  await cluster.attach(work01, first)
  expect(await table()).toContain('10.99.0.9')
  await work01.nodeSide.detach(first.request, AbortSignal.timeout(5000))
  await eventually('the table without it', async () => expect(await table()).not.toContain('10.99.0.9'))
  expect(await work01.ip('route')).not.toContain('10.99.0.9')
  const next = await floatingPod('next', ['10.99.0.9'])
  await cluster.attach(work01, next)
  await callerSeen(next, work01, '10.99.0.9')
})
