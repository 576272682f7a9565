import { expect, test } from 'vitest'
import type { CniRoute } from '../../cni/result.ts'
import { adjustResult } from './adjust-result.ts'
import type { RoutedAttachment } from './types.ts'

const unchanged = { removed: [], links: [], added: [] }

function attachment(...routes: CniRoute[]): RoutedAttachment {
  const ips = [
    { address: '10.1.0.2/24', gateway: '10.1.0.1' },
    { address: 'fd01::2/64', gateway: 'fd01::1' },
  ]
  const routing = { table: 1000, keep: [], take: [] }
  return {
    ifName: 'eth0',
    networkName: 'first',
    isDefault: true,
    routing,
    result: { interfaces: [], ips, routes, dns: {} },
  }
}

test('a default route without gateway gets that of the addresses of its family', () => {
  expect(adjustResult(attachment({ dst: '0.0.0.0/0' }, { dst: '::/0', priority: 5 }), unchanged).routes).toEqual([
    { dst: '0.0.0.0/0', gw: '10.1.0.1' },
    { dst: '::/0', gw: 'fd01::1', priority: 5 },
  ])
})

test('a default route without gateway stays so when no address names one', () => {
  const bare = attachment({ dst: '0.0.0.0/0' })
  const result = { ...bare.result, ips: [{ address: '10.1.0.2/24' }, { address: 'fd01::2/64', gateway: 'fd01::1' }] }
  expect(adjustResult({ ...bare, result }, unchanged).routes).toEqual([{ dst: '0.0.0.0/0' }])
})

test.each<[string, CniRoute]>([
  ['has a gateway', { dst: '0.0.0.0/0', gw: '10.1.0.9' }],
  ['is on the link', { dst: '0.0.0.0/0', scope: 253 }],
  ['is in another table', { dst: '0.0.0.0/0', table: 100 }],
  ['is no default', { dst: '10.9.0.0/16' }],
])('a route that %s stays as it is', (_, route) => {
  expect(adjustResult(attachment(route), unchanged).routes).toEqual([route])
})
