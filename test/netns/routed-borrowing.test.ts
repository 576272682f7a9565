import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'

let cluster: RoutedCluster
let work01: RoutedNode
let work02: RoutedNode

beforeAll(async () => {
  const addresses = { work01: '192.168.100.101', work02: '192.168.100.102' }
  cluster = await createRoutedCluster(addresses, { ipPoolCidr: '10.244.9.0/30', blockSize: 30 })
  ;[work01, work02] = cluster.nodes as [RoutedNode, RoutedNode]
})

afterAll(() => cluster?.stop())

it('a node without a block borrows single addresses, which alone are announced beside the block', async () => {
  const owner = await cluster.createPod('owner')
  const borrower = await cluster.createPod('borrower')
  expect((await cluster.attach(work01, owner)).address).toBe('10.244.9.0')
  const { address } = await cluster.attach(work02, borrower)
  expect(address).toBe('10.244.9.1')

  await eventually("the borrowed address on its block's owner", async () => {
    const routes = await work01.kernel.routes(undefined, { family: 4, protocol: 12 })
    expect(routes.map(({ destination, gateway, type }) => [destination, gateway ?? type]).sort()).toEqual([
      ['10.244.9.0/30', 'blackhole'],
      ['10.244.9.1/32', work02.address],
    ])
  })
  await eventually('the block on the borrower', async () => {
    const routes = await work02.kernel.routes(undefined, { family: 4, protocol: 12 })
    expect(routes.map(({ destination, gateway }) => [destination, gateway])).toEqual([
      ['10.244.9.0/30', work01.address],
    ])
  })
  await owner.exec('busybox', 'ping', '-c', '1', '-W', '2', address)
})

it('an exhausted pool is one error that names the pool and the fix, and leaves nothing behind', async () => {
  for (const name of ['third', 'fourth']) await cluster.attach(work02, await cluster.createPod(name))
  const late = await cluster.createPod('late')
  await expect(cluster.attach(work02, late)).rejects.toMatchObject({
    message: expect.stringContaining('No IPs available in pools: [10.244.9.0/30]'),
    fix: expect.stringContaining('IPPool'),
  })
  expect((await late.exec('ip', '-br', 'link')).trim().split('\n')).toHaveLength(1)
})
