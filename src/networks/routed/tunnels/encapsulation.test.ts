import { describe, expect, it } from 'vitest'
import type { IPPool, IPPoolSpec } from '../resources.ts'
import { encapsulatedPools, podMtuBytes } from './encapsulation.ts'

function pool(spec: Partial<IPPoolSpec>): IPPool {
  return { metadata: { name: 'pool' }, spec: { cidr: '10.244.0.0/16', ...spec } }
}

describe('encapsulatedPools', () => {
  it.each([
    ['none', {}, undefined],
    ['never', { vxlanMode: 'Never', ipipMode: 'Never' }, undefined],
    ['VXLAN', { vxlanMode: 'Always' }, { encapsulation: 'vxlan', isCrossSubnet: false }],
    ['VXLAN across subnets', { vxlanMode: 'CrossSubnet' }, { encapsulation: 'vxlan', isCrossSubnet: true }],
    ['IP-in-IP', { ipipMode: 'Always' }, { encapsulation: 'ipip', isCrossSubnet: false }],
    ['both, of an old object', { ipipMode: 'Always', vxlanMode: 'Always' }, { encapsulation: 'vxlan' }],
    ['that of a disabled pool', { vxlanMode: 'Always', disabled: true }, { encapsulation: 'vxlan' }],
    [
      'VXLAN of IPv6',
      { cidr: 'fd00::/48', vxlanMode: 'CrossSubnet' },
      { encapsulation: 'vxlan6', isCrossSubnet: true },
    ],
    ['no IP-in-IP of IPv6', { cidr: 'fd00::/48', ipipMode: 'Always' }, undefined],
    ['none of what is no prefix', { cidr: 'pool', vxlanMode: 'Always' }, undefined],
  ] as const)('%s', (_, spec, expected) => {
    const found = encapsulatedPools([pool(spec)])
    if (expected === undefined) expect(found).toEqual([])
    else expect(found).toEqual([expect.objectContaining(expected)])
  })
})

describe('podMtuBytes', () => {
  it.each([
    ['nothing', [pool({})], 1500],
    ['IP-in-IP', [pool({ ipipMode: 'Always' })], 1480],
    ['VXLAN over IPv6', [pool({ cidr: 'fd00::/48', vxlanMode: 'Always' }), pool({ vxlanMode: 'Always' })], 1430],
    ['the largest of all', [pool({ ipipMode: 'Always' }), pool({ vxlanMode: 'CrossSubnet' })], 1450],
  ])('takes off %s', (_, pools, expected) => {
    expect(podMtuBytes(1500, pools)).toBe(expected)
  })
})
