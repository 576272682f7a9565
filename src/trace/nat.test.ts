import { expect, test } from 'vitest'
import { describeNat, findNat, parseNatRules } from './nat.ts'

const match = (op: string, left: object, right: unknown) => ({ match: { op, left, right } })
const meta = (key: string) => ({ meta: { key } })
const field = (name: string) => ({ payload: { protocol: 'ip', field: name } })
const prefix = (addr: string, len: number) => ({ prefix: { addr, len } })
const rule = (table: string, chain: string, ...expr: object[]) => ({ rule: { family: 'inet', table, chain, expr } })

/** As `nft -j list ruleset` prints our tables, and one of somebody else. */
const ruleset = [
  { chain: { family: 'inet', table: 'ovn', name: 'postrouting', type: 'nat', hook: 'postrouting', prio: 100 } },
  { chain: { family: 'inet', table: 'routed', name: 'outgoing', type: 'nat', hook: 'postrouting', prio: 100 } },
  { chain: { family: 'inet', table: 'first', name: 'mine', type: 'nat', hook: 'postrouting', prio: 50 } },
  { chain: { family: 'inet', table: 'routed', name: 'sources', type: 'filter', hook: 'prerouting', prio: -300 } },
  { set: { family: 'inet', table: 'routed', name: 'pools', elem: [prefix('10.244.0.0', 16)] } },
  rule('first', 'mine', match('==', meta('oifname'), 'tun*'), { accept: null }),
  rule('first', 'mine', match('==', { ct: { key: 'mark' } }, 1), { masquerade: null }),
  rule('ovn', 'postrouting', match('==', meta('oifname'), 'mp0'), match('!=', field('saddr'), '10.144.0.2'), {
    snat: { addr: '10.144.0.2' },
  }),
  rule(
    'ovn',
    'postrouting',
    match('!=', meta('oifname'), 'mp0'),
    match('==', field('saddr'), prefix('10.144.0.0', 24)),
    { masquerade: null },
  ),
  rule(
    'routed',
    'outgoing',
    match('==', field('saddr'), '@pools'),
    match('!=', field('daddr'), '@pools'),
    { counter: {} },
    { masquerade: null },
  ),
]
const rules = parseNatRules(ruleset)

const find = (source: string, destination: string, outputDevice: string) => {
  const found = findNat(rules, { source, destination, outputDevice })
  return found && describeNat(found)
}

test('the rule that translates is found by device, address, prefix and set', () => {
  expect(find('10.144.0.5', '203.0.113.1', 'brens3')).toBe(
    'nftables inet ovn postrouting: oifname != mp0 saddr 10.144.0.0/24 masquerade',
  )
  expect(find('192.168.1.1', '10.144.0.5', 'mp0')).toBe(
    'nftables inet ovn postrouting: oifname mp0 saddr != 10.144.0.2 snat to 10.144.0.2',
  )
  expect(find('10.244.1.1', '203.0.113.1', 'ens1')).toMatch(/inet routed outgoing/)
})

test('there is none between addresses that need none', () => {
  expect(find('10.244.1.1', '10.244.2.2', 'ens1')).toBeUndefined()
  expect(find('10.144.0.2', '10.144.0.5', 'mp0')).toBeUndefined()
})

test('chains stand in the order of their priority, and what is not understood translates nothing', () => {
  expect([...new Set(rules.map(({ chain }) => chain))]).toEqual([
    'inet first mine',
    'inet ovn postrouting',
    'inet routed outgoing',
  ])
  expect(rules[1]).toMatchObject({ isUnclear: true, action: 'masquerade' })
})
