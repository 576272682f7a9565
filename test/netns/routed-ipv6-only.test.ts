import { afterAll, beforeAll, expect, it } from 'vitest'
import { nodes } from '../../src/kube/resources/core.ts'
import { ipPools } from '../../src/networks/routed/resources.ts'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'

let cluster: RoutedCluster
let work01: RoutedNode
let work02: RoutedNode

beforeAll(async () => {
  const settings = {
    ipAutodetectionMethod: 'none',
    ip6AutodetectionMethod: 'interface=ens2',
    ipv6PoolCidr: 'fd00:10:244::/64',
  }
  cluster = await createRoutedCluster({ work01: '192.168.100.101', work02: '192.168.100.102' }, settings)
  ;[work01, work02] = cluster.nodes as [RoutedNode, RoutedNode]
})

afterAll(() => cluster?.stop())

it('a cluster without IPv4 has no pool and no BGP address of it', async () => {
  expect((await cluster.kube.list(ipPools)).items.map(({ spec }) => spec.cidr)).toEqual(['fd00:10:244::/64'])
  const annotations = (await cluster.kube.get(nodes, 'work01')).metadata.annotations ?? {}
  expect(annotations).toMatchObject({ 'projectcalico.org/IPv6Address': `${work01.address6}/64` })
  expect(annotations).not.toHaveProperty(['projectcalico.org/IPv4Address'])
})

it('pods on its two nodes reach each other and the other node', async () => {
  const [a, b] = [await cluster.createPod('a'), await cluster.createPod('b')]
  await cluster.attach(work01, a)
  const { address, result } = await cluster.attach(work02, b)
  expect(result.interfaces[1]?.mtu).toBe(1500)
  await eventually('the way to the other node', () => a.exec('busybox', 'ping', '-6', '-c', '1', '-W', '1', address))
  await a.exec('busybox', 'ping', '-6', '-c', '1', '-W', '1', work02.address6)
})

it('a pod that asks for IPv4 is refused with the pool that is missing', async () => {
  await expect(cluster.attach(work01, await cluster.createPod('four', { assign_ipv4: 'true' }))).rejects.toThrow(
    'Assigned 0 out of 1 requested IPv4 addresses; no configured Calico pools for node work01',
  )
})
