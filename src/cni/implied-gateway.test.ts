import { expect, test } from 'vitest'
import { withImpliedGateway } from './implied-gateway.ts'

const ips = [
  { address: '10.1.0.2/24' },
  { address: 'fd01::2/64', gateway: 'fd01::1' },
  { address: '10.2.0.2/24', gateway: '10.2.0.1' },
  { address: '10.3.0.2/24', gateway: '10.3.0.1' },
]

test('a route without gateway leads through the first one of its family', () => {
  expect(withImpliedGateway({ dst: '0.0.0.0/0' }, ips)).toEqual({ dst: '0.0.0.0/0', gw: '10.2.0.1' })
  expect(withImpliedGateway({ dst: 'fd09::/64', table: 7 }, ips)).toEqual({ dst: 'fd09::/64', table: 7, gw: 'fd01::1' })
})

test('a route that names its gateway, is on the link, or finds none stays as it is', () => {
  for (const route of [
    { dst: '0.0.0.0/0', gw: '10.1.0.9' },
    { dst: '10.9.0.0/16', scope: 253 },
  ]) {
    expect(withImpliedGateway(route, ips)).toBe(route)
  }
  const route = { dst: '0.0.0.0/0' }
  expect(withImpliedGateway(route, ips.slice(0, 2))).toBe(route)
})
