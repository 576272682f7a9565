import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { namespaces, pods } from '../../src/kube/resources/core.ts'
import { parseRoutedConfig } from '../../src/networks/routed/config.ts'
import { ipPools, ipReservations } from '../../src/networks/routed/resources.ts'
import { createRoutedCluster, type RoutedCluster, type RoutedNode, type TestPod } from './support/routed-cluster.ts'

let cluster: RoutedCluster
let work01: RoutedNode

beforeAll(async () => {
  cluster = await createRoutedCluster({ work01: '192.168.100.101' }, { ipv6PoolCidr: 'fd00:10:244::/64' })
  ;[work01] = cluster.nodes as [RoutedNode]
  const manual = { blockSize: 28, assignmentMode: 'Manual' as const }
  cluster.kube.seed(ipPools, { metadata: { name: 'of-pods' }, spec: { cidr: '10.91.0.0/24', ...manual } })
  cluster.kube.seed(ipPools, { metadata: { name: 'of-namespaces' }, spec: { cidr: '10.92.0.0/24', ...manual } })
  const annotations = { 'cni.projectcalico.org/ipv4pools': '["of-namespaces"]' }
  cluster.kube.seed(namespaces, { metadata: { name: 'teams', annotations } })
})

afterAll(() => cluster?.stop())

/** A pod with Calico's annotations that the node's copy of the pods has heard of. */
async function annotated(name: string, annotations: Record<string, string>, namespace = 'default'): Promise<TestPod> {
  const pod = await cluster.createPod(name)
  const full = Object.entries(annotations).map(([key, value]) => [`cni.projectcalico.org/${key}`, value])
  cluster.kube.seed(pods, { metadata: { name, namespace, annotations: Object.fromEntries(full) } })
  await pause(50)
  return { ...pod, request: { ...pod.request, pod: { ...pod.request.pod, namespace } } }
}

async function addressesOf(pod: TestPod): Promise<string[]> {
  return (await cluster.attach(work01, pod)).result.ips.map(({ address }) => address)
}

it('hwAddr is the MAC address of eth0, in the pod and in the result', async () => {
  const pod = await annotated('mac', { hwAddr: '1c:0c:0a:c0:ff:ee' })
  const { result } = await cluster.attach(work01, pod)
  expect(result.interfaces[1]?.mac).toBe('1c:0c:0a:c0:ff:ee')
  expect(await pod.exec('ip', 'link', 'show', 'eth0')).toContain('1c:0c:0a:c0:ff:ee')
})

it('pools come from the pod, else from its namespace, also pools that are for nobody else', async () => {
  const own = await annotated('own', { ipv4pools: '["10.91.0.0/24"]' }, 'teams')
  const inherited = await annotated('inherited', {}, 'teams')
  expect((await addressesOf(own))[0]).toMatch(/^10\.91\.0\./)
  expect((await addressesOf(inherited))[0]).toMatch(/^10\.92\.0\./)
})

it('ipFamilies decides which families a pod has', async () => {
  const six = await annotated('six', { ipFamilies: '["IPv6"]' })
  expect(await addressesOf(six)).toEqual([expect.stringMatching(/^fd00:10:244:.*\/128$/)])
})

it('ipAddrs gives exactly those addresses, reserved or not, and a new sandbox of the pod takes them over', async () => {
  cluster.kube.seed(ipReservations, { metadata: { name: 'kept' }, spec: { reservedCIDRs: ['10.244.7.7/32'] } })
  const wanted = { ipAddrs: '["fd00:10:244::77","10.244.7.7"]' }
  const old = await annotated('fixed', wanted)
  expect(await addressesOf(old)).toEqual(['10.244.7.7/32', 'fd00:10:244::77/128'])

  const other = await annotated('other', wanted)
  await expect(cluster.attach(work01, other)).rejects.toThrow(
    '10.244.7.7 is already assigned to k8s-pod-network.c-fixed',
  )

  const sandbox = await cluster.createPod('fixed-again')
  const renewed = { ...sandbox.request, pod: old.request.pod }
  const result = await work01.nodeSide.attach(renewed, AbortSignal.timeout(5000))
  expect(result.ips.map(({ address }) => address)).toEqual(['10.244.7.7/32', 'fd00:10:244::77/128'])
  await work01.nodeSide.detach(old.request, AbortSignal.timeout(5000))
  expect(await work01.nodeSide.verify(renewed, result)).toEqual([])
  await work01.exec('busybox', 'ping', '-c', '1', '-W', '1', '10.244.7.7')
})

it('ipAddrsNoIpam gives any address where the configuration allows it, and IPAM knows nothing of it', async () => {
  const pod = await annotated('outside', { ipAddrsNoIpam: '["192.0.2.7"]' })
  await expect(cluster.attach(work01, pod)).rejects.toThrow('requested feature is not enabled: ip_addrs_no_ipam')
  const [plugin] = pod.request.configList.plugins
  if (plugin === undefined) throw new Error('no plugin')
  const plugins = [{ ...plugin, feature_control: { ip_addrs_no_ipam: true } }]
  const request = { ...pod.request, config: parseRoutedConfig({ ...pod.request.configList, plugins }) }
  const result = await work01.nodeSide.attach(request, AbortSignal.timeout(5000))
  expect(result.ips.map(({ address }) => address)).toEqual(['192.0.2.7/32'])
  expect(await work01.nodeSide.verify(request, result)).toEqual([])
  await work01.exec('busybox', 'ping', '-c', '1', '-W', '1', '192.0.2.7')
  await work01.nodeSide.detach(request, AbortSignal.timeout(5000))
})
