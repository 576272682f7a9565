import { describe, expect, it } from 'vitest'
import type { IPPool, IPPoolSpec } from '../resources.ts'
import { checkPool, poolStates } from './check-pool.ts'

function pool(spec: Partial<IPPoolSpec>, name = 'pool', creationTimestamp?: string): IPPool {
  const metadata = { name, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) }
  return { metadata, spec: { cidr: '10.244.0.0/16', ...spec } }
}

const v6 = { cidr: 'fd00::/64' }

describe('a pool is refused by the field that is wrong:', () => {
  it.each<[Partial<IPPoolSpec>, keyof IPPoolSpec, string]>([
    [{ cidr: '10.244.0.0' }, 'cidr', 'has no prefix length'],
    [{ cidr: '10.244.0.1/16' }, 'cidr', 'has host bits set; the prefix is 10.244.0.0/16'],
    [{ cidr: '169.254.9.0/24' }, 'cidr', 'in 169.254.0.0/16, which is link-local'],
    [{ cidr: 'fe80::/64' }, 'cidr', 'in fe80::/10, which is link-local'],
    [{ cidr: '0.0.0.0/0' }, 'cidr', 'link-local'],
    [{ cidr: '10.9.8.0/24' }, 'cidr', '10.9.8.0/24 overlaps 10.9.0.0/16 of IPPool nine'],
    [{ blockSize: 19 }, 'blockSize', 'is 19; for IPv4 it is 20 to 32'],
    [{ blockSize: 33 }, 'blockSize', 'is 33'],
    [{ ...v6, blockSize: 115 }, 'blockSize', 'is 115; for IPv6 it is 116 to 128'],
    [{ ...v6, blockSize: 26 }, 'blockSize', 'is 26'],
    [{ cidr: '10.244.0.0/28', blockSize: 26 }, 'blockSize', 'a block of /26 is larger than the pool 10.244.0.0/28'],
    [{ cidr: '10.244.0.0/28' }, 'blockSize', 'a block of /26 is larger'],
    [{ ipipMode: 'Always', vxlanMode: 'CrossSubnet' }, 'ipipMode', 'one of them must be Never'],
    [{ ...v6, ipipMode: 'CrossSubnet' }, 'ipipMode', 'no IP-in-IP for IPv6'],
    [{ nodeSelector: 'rack = a' }, 'nodeSelector', ''],
    [{ nodeSelector: 'global()' }, 'nodeSelector', 'global()'],
    [{ namespaceSelector: "team == 'a' && global()" }, 'namespaceSelector', 'global()'],
    [{ namespaceSelector: 'all()', allowedUses: ['Workload', 'Tunnel'] }, 'namespaceSelector', 'Tunnel'],
    [{ allowedUses: ['LoadBalancer', 'Workload'] }, 'allowedUses', 'LoadBalancer'],
    [{ allowedUses: ['LoadBalancer'], nodeSelector: "a == 'b'" }, 'nodeSelector', 'LoadBalancer'],
    [{ allowedUses: ['LoadBalancer'], vxlanMode: 'Always' }, 'vxlanMode', 'LoadBalancer'],
    [{ allowedUses: ['LoadBalancer'], disableBGPExport: true }, 'disableBGPExport', 'LoadBalancer'],
  ])('%j: %s', (spec, field, reason) => {
    const problems = checkPool(pool(spec), { others: [pool({ cidr: '10.9.0.0/16' }, 'nine')] })
    expect(problems.map((problem) => problem.field)).toEqual([field])
    expect(problems[0]?.reason).toContain(reason)
  })

  it.each<[Partial<IPPoolSpec>, Partial<IPPoolSpec>, string[]]>([
    [{ cidr: '10.245.0.0/16' }, {}, ['cidr']],
    [{ blockSize: 24 }, {}, ['blockSize']],
    [{ blockSize: 26 }, {}, []],
    [{ ...v6, blockSize: 122 }, v6, []],
    [{ natOutgoing: true, nodeSelector: "a == 'b'", disabled: true }, {}, []],
  ])('%j after %j changes %j', (now, before, fields) => {
    expect(checkPool(pool(now), { before: pool(before) }).map(({ field }) => field)).toEqual(fields)
  })

  it.each<[Partial<IPPoolSpec>]>([
    [{}],
    [{ blockSize: 32 }],
    [{ ...v6, blockSize: 116, vxlanMode: 'Always' }],
    [{ cidr: '10.244.0.0/28', blockSize: 26, disabled: true }],
    [{ allowedUses: ['LoadBalancer'], nodeSelector: 'all()' }],
    [{ namespaceSelector: "team == 'a'", allowedUses: ['Workload'], assignmentMode: 'Manual' }],
  ])('not %j', (spec) => {
    expect(checkPool(pool(spec), { others: [pool({}, 'pool'), pool({ cidr: '10.9.0.0/16' }, 'nine')] })).toEqual([])
  })
})

describe('a part of a pool', () => {
  it('may overlap the whole, and nothing else', () => {
    const part = pool({ cidr: '10.244.0.0/18' }, 'part')
    part.metadata.annotations = { 'twinlane.io/part-of-pool': 'whole' }
    expect(checkPool(part, { others: [pool({}, 'whole')] })).toEqual([])
    expect(checkPool(part, { others: [pool({}, 'other')] })).toHaveLength(1)
  })
})

describe('the state of pools', () => {
  it('lets the older of two that overlap be used, whatever their names', () => {
    const older = pool({ cidr: '10.244.0.0/16' }, 'z', '2026-01-01T00:00:00Z')
    const newer = pool({ cidr: '10.244.7.0/24' }, 'a', '2026-01-02T00:00:00Z')
    const states = poolStates([newer, older])
    expect(states.get(older)?.state).toBe('OK')
    expect(states.get(newer)).toEqual({
      state: 'CIDROverlap',
      message: 'spec.cidr: 10.244.7.0/24 overlaps 10.244.0.0/16 of IPPool z',
    })
  })

  it('tells what is wrong, disabled and going away apart', () => {
    const wrong = pool({ cidr: '10.1.0.0/16', blockSize: 19 }, 'wrong')
    const off = pool({ cidr: '10.2.0.0/16', disabled: true }, 'off')
    const going = pool({ cidr: '10.3.0.0/16' }, 'going')
    going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
    const states = poolStates([wrong, off, going])
    expect([wrong, off, going].map((each) => states.get(each)?.state)).toEqual([
      'Invalid',
      'PoolDisabled',
      'Terminating',
    ])
    expect(states.get(wrong)?.message).toBe('spec.blockSize: is 19; for IPv4 it is 20 to 32')
  })
})
