import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'

let cluster: RoutedCluster
let owner: RoutedNode
let borrower: RoutedNode

beforeAll(async () => {
  const addresses = { work01: '192.168.100.101', work02: '192.168.100.102' }
  const pool = { ipPoolCidr: '10.244.9.0/30', blockSize: 30, vxlanMode: 'Always' }
  cluster = await createRoutedCluster(addresses, pool)
  ;[owner, borrower] = cluster.nodes as [RoutedNode, RoutedNode]
})

afterAll(() => cluster?.stop())

it('addresses that a node has borrowed, of pods and of the tunnel itself, are reached where they are', async () => {
  const here = await cluster.createPod('here')
  const there = await cluster.createPod('there')
  const own = (await cluster.attach(owner, here)).address
  const borrowed = (await cluster.attach(borrower, there)).address
  expect([own, borrowed]).toEqual(['10.244.9.2', '10.244.9.3'])

  await eventually('both ways', async () => {
    const routes = (await owner.ip('route', 'show', 'proto', '80')).trim().split('\n')
    expect(routes.map((line) => line.trim())).toEqual([
      '10.244.9.1 via 10.244.9.1 dev vxlan.calico onlink',
      '10.244.9.3 via 10.244.9.1 dev vxlan.calico onlink',
    ])
  })
  await here.exec('busybox', 'ping', '-c', '1', '-W', '2', borrowed)
  await there.exec('busybox', 'ping', '-c', '1', '-W', '2', own)
  // From the borrowed address of the tunnel itself, and back to it.
  await borrower.exec('busybox', 'ping', '-c', '1', '-W', '2', own)
  await owner.exec('busybox', 'ping', '-c', '1', '-W', '2', borrowed)
})
