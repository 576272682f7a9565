import { expect, it } from 'vitest'
import type { IPPoolSpec } from '../resources.ts'
import { findUnroutedPools } from './unrouted-pools.ts'

const local = { name: 'work01', labels: {}, addresses: { 4: '192.168.100.101' } }
const nodes = [{ name: 'work01' }, { name: 'work02' }]
const pool = (spec: IPPoolSpec) => ({ metadata: { name: 'six' }, spec })

it('a pool of IPv6 on a node without an IPv6 address for BGP is named, with the setting', () => {
  const pools = [pool({ cidr: '10.244.0.0/16' }), pool({ cidr: 'fd00::/64' })]
  expect(findUnroutedPools({ local, nodes, pools })).toEqual([
    'node work01 has no IPv6 address for BGP: other nodes do not reach its pods with addresses of IPPool six; set networks.routed.ip6AutodetectionMethod, or bgp.ipv6Address of the Node',
  ])
})

it.each<[string, Partial<Parameters<typeof findUnroutedPools>[0]>, Partial<IPPoolSpec>]>([
  ['the node has the address', { local: { ...local, addresses: { ...local.addresses, 6: 'fd00:1::1' } } }, {}],
  ['the node is alone', { nodes: [{ name: 'work01' }] }, {}],
  ['the pool is tunnelled', {}, { vxlanMode: 'Always' }],
  ['the pool is disabled', {}, { disabled: true }],
  ['the pool is for other nodes', {}, { nodeSelector: "rack == 'b'" }],
  ['the pool is not for pods', {}, { allowedUses: ['LoadBalancer'] }],
])('nothing is said when %s', (_what, change, spec) => {
  expect(findUnroutedPools({ local, nodes, pools: [pool({ cidr: 'fd00::/64', ...spec })], ...change })).toEqual([])
})
