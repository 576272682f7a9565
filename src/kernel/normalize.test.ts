import { describe, expect, it } from 'vitest'
import { isSameRoute, isSameRule, normalizeRoute, routeKey } from './normalize.ts'

describe('comparing routes', () => {
  it('fills in what the kernel would', () => {
    expect(normalizeRoute({ family: 4, destination: '10.0.0.9/24', device: 'eth0' })).toEqual({
      family: 4,
      destination: '10.0.0.0/24',
      table: 254,
      protocol: 3,
      scope: 253,
      type: 'unicast',
      device: 'eth0',
    })
    expect(normalizeRoute({ family: 6, destination: '::/0', gateway: 'fe80::1', device: 'eth0' })).toMatchObject({
      scope: 0,
      metric: 1024,
    })
  })

  it('sees through defaults, spelling and the order of next hops', () => {
    const hops = [
      { gateway: 'fd00::1', device: 'eth0' },
      { gateway: 'fd00::2', device: 'eth0', weight: 1 },
    ]
    const one = { family: 6, destination: 'fd00:0::/64', nextHops: hops } as const
    const other = {
      family: 6,
      destination: 'fd00::/64',
      metric: 1024,
      table: 254,
      nextHops: [...hops].reverse(),
    } as const
    expect(isSameRoute(one, other)).toBe(true)
    expect(isSameRoute(one, { ...other, protocol: 80 })).toBe(false)
  })

  it('ignores the device of a blackhole, which only the kernel mentions', () => {
    const blackhole = { family: 4, destination: '10.0.0.0/24', type: 'blackhole' } as const
    expect(isSameRoute(blackhole, { ...blackhole, device: 'lo' })).toBe(true)
  })

  it('keys a route by what would replace it', () => {
    const route = { family: 4, destination: '0.0.0.0/0', gateway: '10.0.0.1' } as const
    expect(routeKey(route)).toBe(routeKey({ ...route, gateway: '10.0.0.2', metric: 0, protocol: 9 }))
    expect(routeKey(route)).not.toBe(routeKey({ ...route, metric: 5 }))
    expect(routeKey(route)).not.toBe(routeKey({ ...route, table: 5 }))
  })
})

describe('comparing rules', () => {
  const rule = { family: 4, priority: 5, table: 100 } as const

  it('takes a prefix of length 0 for none, and an address for its host', () => {
    expect(isSameRule({ ...rule, from: '0.0.0.0/0' }, rule)).toBe(true)
    expect(isSameRule({ ...rule, from: '10.0.0.1/32' }, { ...rule, from: '10.0.0.1' })).toBe(true)
    expect(isSameRule({ ...rule, from: '10.0.0.1/32' }, rule)).toBe(false)
  })

  it('asks for the protocol only when it is given', () => {
    expect(isSameRule({ ...rule, protocol: 2 }, rule)).toBe(true)
    expect(isSameRule({ ...rule, protocol: 2 }, { ...rule, protocol: 3 })).toBe(false)
  })
})
