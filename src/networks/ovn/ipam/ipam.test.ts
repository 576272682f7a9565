import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allocateByFamily, allocateNodeNumbers, allocateNodeSubnets } from './node-subnets.ts'
import { PodAddresses } from './pod-addresses.ts'

describe('node subnets', () => {
  const claim = (node: string, subnet?: string) => ({ node, subnet })
  const pool = [{ cidr: '10.144.0.0/16', hostPrefix: 24 }]

  test('are given out in order, and kept by those who have one', () => {
    const given = allocateNodeSubnets(pool, [claim('a'), claim('b', '10.144.0.0/24'), claim('c')])
    expect(Object.fromEntries(given)).toEqual({ a: '10.144.1.0/24', b: '10.144.0.0/24', c: '10.144.2.0/24' })
  })

  test('that are claimed twice, lie outside, or have another size are replaced', () => {
    const given = allocateNodeSubnets(pool, [
      claim('a', '10.144.7.0/24'),
      claim('b', '10.144.7.0/24'),
      claim('c', '10.145.0.0/24'),
      claim('d', '10.144.8.0/25'),
    ])
    expect([...given.values()].sort()).toEqual(['10.144.0.0/24', '10.144.1.0/24', '10.144.2.0/24', '10.144.7.0/24'])
  })

  test('run out without an error: the last nodes have none', () => {
    expect(
      allocateNodeSubnets([{ cidr: '10.144.0.0/23', hostPrefix: 24 }], [claim('a'), claim('b'), claim('c')]).size,
    ).toBe(2)
  })

  test('come from the next pool when one is used up, and are kept in whichever they are', () => {
    const pools = [
      { cidr: '10.144.0.0/25', hostPrefix: 26 },
      { cidr: '10.145.0.0/16', hostPrefix: 24 },
    ]
    const given = allocateNodeSubnets(pools, [claim('a'), claim('b'), claim('c'), claim('d', '10.145.0.0/24')])
    expect(Object.fromEntries(given)).toEqual({
      a: '10.144.0.0/26',
      b: '10.144.0.64/26',
      c: '10.145.1.0/24',
      d: '10.145.0.0/24',
    })
  })

  test('are one of each family, and a node that had one only gets the other', () => {
    const pools = [
      { cidr: '10.144.0.0/16', hostPrefix: 24 },
      { cidr: 'fd01::/48', hostPrefix: 64 },
    ]
    const claims = [
      { node: 'a', subnets: ['10.144.7.0/24'] },
      { node: 'b', subnets: ['10.144.0.0/24', 'fd01:0:0:1::/64'] },
      { node: 'c', subnets: ['what a person wrote'] },
    ]
    expect(Object.fromEntries(allocateByFamily(pools, claims))).toEqual({
      a: ['10.144.7.0/24', 'fd01:0:0:2::/64'],
      b: ['10.144.0.0/24', 'fd01:0:0:1::/64'],
      c: ['10.144.1.0/24', 'fd01:0:0:3::/64'],
    })
  })

  test('numbers begin at 2 and are kept', () => {
    const numbers = allocateNodeNumbers([
      { node: 'a', number: undefined },
      { node: 'b', number: 2 },
      { node: 'c', number: 2 },
    ])
    expect(Object.fromEntries(numbers)).toEqual({ b: 2, a: 3, c: 4 })
  })
})

describe('pod addresses', () => {
  test('never are the network, the router, the management port or the broadcast', () => {
    const addresses = new PodAddresses('10.144.0.0/29')
    expect([1, 2, 3, 4].map((n) => addresses.allocate(`pod ${n}`))).toEqual([
      '10.144.0.3',
      '10.144.0.4',
      '10.144.0.5',
      '10.144.0.6',
    ])
    expect(() => addresses.allocate('one more')).toThrow('all 4 addresses of 10.144.0.0/29 are in use')
  })

  test('that are released are used again as late as possible', () => {
    const addresses = new PodAddresses('10.144.0.0/24')
    const first = addresses.allocate('a')
    addresses.release(first, 'a')
    expect(addresses.allocate('b')).toBe('10.144.0.4')
  })

  test('are released only by their owner, and only once', () => {
    const addresses = new PodAddresses('10.144.0.0/24')
    const address = addresses.allocate('old')
    addresses.release(address, 'old')
    addresses.claim(address, 'new')
    addresses.release(address, 'old')
    expect(addresses.ownerOf(address)).toBe('new')
  })

  test('that are asked for are refused with the reason', () => {
    const addresses = new PodAddresses('10.144.0.0/24')
    addresses.claim('10.144.0.9', 'a')
    addresses.claim('10.144.0.9', 'a')
    expect(() => addresses.claim('10.144.0.9', 'b')).toThrow('10.144.0.9 is in use by a')
    expect(() => addresses.claim('10.144.0.2', 'b')).toThrow('10.144.0.2 is reserved')
    expect(() => addresses.claim('10.144.0.255', 'b')).toThrow('10.144.0.255 is reserved')
    expect(() => addresses.claim('10.144.1.9', 'b')).toThrow("not in the node's subnet")
  })

  test('are never given to two owners, whatever the order of things', () => {
    const step = fc.record({ owner: fc.integer({ min: 0, max: 9 }), isRelease: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const addresses = new PodAddresses('10.144.0.0/28')
        const held = new Map<string, string>()
        for (const [index, { owner, isRelease }] of steps.entries()) {
          const victim = [...held.keys()][owner]
          if (isRelease && victim !== undefined) {
            addresses.release(victim, held.get(victim)!)
            held.delete(victim)
          } else if (held.size < 12) {
            const given = addresses.allocate(`pod ${index}`)
            expect(held.has(given)).toBe(false)
            held.set(given, `pod ${index}`)
          }
          expect(addresses.used).toBe(held.size)
        }
      }),
    )
  })
})
