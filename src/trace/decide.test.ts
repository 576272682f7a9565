import { describe, expect, test } from 'vitest'
import { decide, describeRoute, describeRule, type Packet } from './decide.ts'
import type { NetnsFacts } from './facts.ts'

const rule = (priority: number, table: number, more: object = {}) => ({ family: 4 as const, priority, table, ...more })
const route = (destination: string, device: string, more: object = {}) => ({
  family: 4 as const,
  destination,
  device,
  ...more,
})

/** The article's pod: eth0 routed, eth1 with the default route. */
const pod: NetnsFacts = {
  devices: [
    { name: 'eth0', mac: '', isUp: true, addresses: ['10.244.1.5/32'] },
    { name: 'eth1', mac: '', isUp: true, addresses: ['10.144.0.5/24'] },
  ],
  rules: [rule(0, 255), rule(1000, 1000, { from: '10.244.1.5/32' }), rule(32766, 254), rule(32767, 253)],
  routes: [
    route('10.144.0.5/32', 'eth1', { table: 255, type: 'local' }),
    route('0.0.0.0/0', 'eth0', { table: 1000, gateway: '169.254.1.1' }),
    route('0.0.0.0/0', 'eth1', { gateway: '10.144.0.1' }),
    route('10.144.0.0/24', 'eth1', { source: '10.144.0.5' }),
    route('10.96.0.0/16', 'eth1', { gateway: '10.144.0.1', metric: 20 }),
    route('10.96.0.0/16', 'eth0', { gateway: '169.254.1.1', metric: 10 }),
  ],
}

const lines = (facts: NetnsFacts, packet: Packet) => {
  const decision = decide(facts, packet)
  return decision && `${describeRule(decision.rule)}; ${describeRoute(decision.route)}; ${decision.source}`
}

describe("a pod's decision", () => {
  test.each([
    [{ destination: '203.0.113.1' }, 'rule 32766: lookup main; route default via 10.144.0.1 dev eth1; 10.144.0.5'],
    [
      { destination: '203.0.113.1', source: '10.244.1.5' },
      'rule 1000: from 10.244.1.5/32 lookup 1000; route default via 169.254.1.1 dev eth0; 10.244.1.5',
    ],
    [{ destination: '10.144.0.9' }, 'rule 32766: lookup main; route 10.144.0.0/24 dev eth1; 10.144.0.5'],
    [{ destination: '10.96.0.1' }, 'rule 32766: lookup main; route 10.96.0.0/16 via 169.254.1.1 dev eth0; 10.244.1.5'],
  ])('for %j is "%s"', (packet, expected) => {
    expect(lines(pod, packet)).toBe(expected)
  })

  test('for an address of its own is the local table', () => {
    expect(decide(pod, { destination: '10.144.0.5' })).toMatchObject({ isLocal: true, rule: { priority: 0 } })
  })

  test('is none without a route of the family', () => {
    expect(decide(pod, { destination: 'fd00::1' })).toBeUndefined()
  })
})

/** A node whose pods of eth1 leave by another NIC than its own default route. */
const node: NetnsFacts = {
  devices: [],
  rules: [
    rule(14400, 254, { inputDevice: 'mp0', suppressPrefixLength: 0 }),
    rule(14401, 14400, { inputDevice: 'mp0' }),
    rule(20000, 99, { mark: 7 }),
    rule(32766, 254),
  ],
  routes: [
    route('0.0.0.0/0', 'ens1', { gateway: '192.168.122.1' }),
    route('10.244.0.0/16', 'ens2'),
    route('0.0.0.0/0', 'brens3', { table: 14400, gateway: '192.168.200.1' }),
    route('0.0.0.0/0', 'nowhere', { table: 99 }),
  ],
}

describe("a node's decision", () => {
  test.each([
    ['203.0.113.1', 'mp0', 'rule 14401: iif mp0 lookup 14400; route default via 192.168.200.1 dev brens3; 10.144.0.5'],
    [
      '10.244.3.3',
      'mp0',
      'rule 14400: iif mp0 lookup main without its prefixes up to /0; route 10.244.0.0/16 dev ens2; 10.144.0.5',
    ],
    ['203.0.113.1', 'cali1', 'rule 32766: lookup main; route default via 192.168.122.1 dev ens1; 10.144.0.5'],
  ])('for %s from %s passes over what is suppressed, marked or for others', (destination, inputDevice, expected) => {
    expect(lines(node, { destination, inputDevice, source: '10.144.0.5' })).toBe(expected)
  })
})
