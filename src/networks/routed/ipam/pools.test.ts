import { describe, expect, it } from 'vitest'
import { formatCidr } from '../../../base/ip.ts'
import type { IPPool, IPPoolSpec } from '../resources.ts'
import { blockCandidates, fnv32 } from './candidates.ts'
import { poolOf, selectPools } from './pools.ts'

function pool(name: string, spec: Partial<IPPoolSpec> = {}): IPPool {
  // Pools do not overlap.
  const cidr = `10.${100 + (fnv32(name) % 100)}.0.0/16`
  return { metadata: { name }, spec: { cidr, blockSize: 24, ...spec } }
}

const choice = { family: 4 as const, nodeName: 'work01', nodeLabels: { rack: 'a' }, requested: [] }

function names(pools: IPPool[], change: object = {}): string[] {
  return selectPools(pools, { ...choice, ...change }).map(({ metadata }) => metadata.name)
}

describe('selectPools', () => {
  it('tries pools in the order of their names', () => {
    expect(names([pool('b'), pool('a')])).toEqual(['a', 'b'])
  })

  it('leaves out what is disabled, manual, for other nodes, other namespaces, IPv6, unreadable or overlapping an older one', () => {
    const pools = [
      pool('good'),
      pool('disabled', { disabled: true }),
      pool('manual', { assignmentMode: 'Manual' }),
      pool('other-rack', { nodeSelector: "rack == 'b'" }),
      pool('other-namespace', { namespaceSelector: "team == 'x'" }),
      pool('v6', { cidr: 'fd00::/48' }),
      pool('typo', { nodeSelector: 'rack = a' }),
      pool('host-bits', { cidr: '10.250.0.1/16' }),
      pool('overlap', { cidr: pool('good').spec.cidr }),
    ]
    expect(names(pools)).toEqual(['good'])
  })

  it('gives a certain address from any pool that is enabled, whatever the pool selects, unless pools are named', () => {
    const pools = [pool('a', { nodeSelector: '!all()' }), pool('b', { disabled: true }), pool('c')]
    expect(names(pools, { address: '10.244.0.9' })).toEqual(['a', 'c'])
    expect(names(pools, { address: '10.244.0.9', requested: ['c'] })).toEqual(['c'])
  })

  it('takes pools of the family only', () => {
    const pools = [pool('a'), pool('six', { cidr: 'fd00::/48', blockSize: 122 })]
    expect(names(pools, { family: 6 })).toEqual(['six'])
    expect(() => names([pool('a')], { family: 6 })).toThrow('failed to request IPv6 addresses')
    expect(() => names(pools, { family: 6, requested: ['a'] })).toThrow('the given pool (a) does not exist')
  })

  it('takes requested pools by name or prefix, whatever they select', () => {
    const pools = [
      pool('a', { cidr: '10.8.0.0/16' }),
      pool('m', { cidr: '10.9.0.0/16', assignmentMode: 'Manual', nodeSelector: "rack == 'b'" }),
    ]
    expect(names(pools, { requested: ['10.9.0.0/16', 'a'] })).toEqual(['m', 'a'])
  })

  it('refuses a requested pool that is not there or disabled', () => {
    const pools = [pool('a'), pool('old', { disabled: true })]
    expect(() => names(pools, { requested: ['old'] })).toThrow('the given pool (old) does not exist, or is not enabled')
  })

  it('says that no pool is meant for the node', () => {
    expect(() => names([])).toThrow('no configured Calico pools for node work01')
  })

  it('says that pools are for other uses', () => {
    expect(() => names([pool('t', { allowedUses: ['Tunnel'] })])).toThrow('cannot find a qualified ippool')
  })
})

describe('poolOf', () => {
  it('finds the pool of an address and of a block', () => {
    const pools = [pool('a', { cidr: '10.8.0.0/16' }), pool('b', { cidr: '10.9.0.0/16' })]
    expect(poolOf(pools, '10.9.1.1')?.metadata.name).toBe('b')
    expect(poolOf(pools, '10.8.7.0/24')?.metadata.name).toBe('a')
    expect(poolOf(pools, '192.0.2.1')).toBeUndefined()
  })
})

describe('blockCandidates', () => {
  const article = pool('a', { cidr: '10.244.0.0/16' })

  it('gives every block once, from a place that depends on the node', () => {
    const all = [...blockCandidates(article, 'work01')].map(formatCidr)
    expect(new Set(all).size).toBe(256)
    expect(all[0]).toBe(`10.244.${fnv32('work01') % 256}.0/24`)
    expect([...blockCandidates(article, 'work02')].map(formatCidr)[0]).not.toBe(all[0])
  })

  it('knows the hash of the empty text and of one letter', () => {
    expect(fnv32('')).toBe(0x811c9dc5)
    expect(fnv32('a')).toBe(0x050c5d7e)
  })
})
