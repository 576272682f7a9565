import { expect, test } from 'vitest'
import { AddressPools } from '../ipam/address-pools.ts'
import type { SecondaryNetwork } from './net-conf.ts'
import { allocateSecondarySubnets } from './node-subnets.ts'
import { buildSecondaryPodNetwork, buildSecondaryPort, secondaryMac } from './pod-rows.ts'
import { buildSecondaryRows } from './topology.ts'

const flat: SecondaryNetwork = {
  name: 'my-net',
  topology: 'layer2',
  subnets: [{ cidr: '10.1.0.0/24', hostPrefix: undefined }],
  excludeSubnets: [],
  mtuBytes: undefined,
  vlanId: undefined,
  physicalNetwork: undefined,
  allowsPersistentIps: false,
}
const tall: SecondaryNetwork = {
  ...flat,
  topology: 'layer3',
  subnets: [
    { cidr: '10.2.0.0/16', hostPrefix: 24 },
    { cidr: 'fd02::/48', hostPrefix: 64 },
  ],
}

function named(network: SecondaryNetwork, nodes: Parameters<typeof buildSecondaryRows>[1] = []) {
  return buildSecondaryRows(network, nodes).map(
    ({ table, columns }) => `${table} ${(columns as { name: string }).name}`,
  )
}

test('names are those of OVN-Kubernetes: the network before each, with dots for dashes', () => {
  expect(named(flat)).toEqual(['Logical_Switch my.net_ovn_layer2_switch'])
  expect(named({ ...flat, topology: 'localnet' })).toEqual([
    'Logical_Switch my.net_ovn_localnet_switch',
    'Logical_Switch_Port my.net_ovn_localnet_port',
  ])
  const nodes = [
    { name: 'n1', subnets: ['10.2.0.0/24'], chassisId: 'c1' },
    { name: 'late', subnets: [] },
  ]
  expect(named(tall, nodes)).toEqual([
    'Logical_Router my.net_ovn_cluster_router',
    'Logical_Switch my.net_n1',
    'Logical_Router_Port rtos-my.net_n1',
    'Logical_Switch_Port stor-my.net_n1',
    'Gateway_Chassis rtos-my.net_n1-c1',
  ])
})

test('every row belongs to the scope of its network, so that another of a similar name never removes it', () => {
  const rows = buildSecondaryRows(tall, [{ name: 'n1', subnets: ['10.2.0.0/24'], chassisId: 'c1' }])
  for (const { id } of rows) expect(id.startsWith('secondary/my-net/')).toBe(true)
})

test('a port has one address a family and no more, on the switch of its node', () => {
  const place = { nad: 'ns/nad-1', namespace: 'ns', name: 'p', uid: 'u', node: 'n1', mac: '0a:58:0a:02:00:03' }
  const port = buildSecondaryPort({ ...place, addresses: ['10.2.0.3/24', 'fd02::3/64'] }, tall)
  expect(port.columns).toMatchObject({
    name: 'ns.nad.1_ns_p',
    addresses: ['0a:58:0a:02:00:03 10.2.0.3 fd02::3'],
    port_security: ['0a:58:0a:02:00:03 10.2.0.3 fd02::3'],
    options: { 'requested-chassis': 'n1', 'iface-id-ver': 'u' },
  })
  expect(port.memberOf).toEqual([{ table: 'Logical_Switch', id: 'secondary/my-net/switch/my.net_n1', column: 'ports' }])
})

test('only layer3 gives routes, by family, and a gateway only where one was asked for', () => {
  const layer3 = buildSecondaryPodNetwork({ addresses: ['10.2.4.3/24', 'fd02:0:0:4::3/64'], mac: 'm' }, tall)
  expect(layer3).toEqual({
    ip_addresses: ['10.2.4.3/24', 'fd02:0:0:4::3/64'],
    mac_address: 'm',
    routes: [
      { dest: '10.2.0.0/16', nextHop: '10.2.4.1' },
      { dest: 'fd02::/48', nextHop: 'fd02:0:0:4::1' },
    ],
    role: 'secondary',
  })
  expect(buildSecondaryPodNetwork({ addresses: ['10.1.0.3/24'], mac: 'm' }, flat, ['10.1.0.254'])).toEqual({
    ip_addresses: ['10.1.0.3/24'],
    mac_address: 'm',
    gateway_ips: ['10.1.0.254'],
    ip_address: '10.1.0.3/24',
    gateway_ip: '10.1.0.254',
    role: 'secondary',
  })
})

test('a MAC follows from the first address; without one from the attachment, always the same', () => {
  expect(secondaryMac(['10.1.0.16/24', 'fd01::1/64'], { requested: undefined, attachment: 'x' })).toBe(
    '0a:58:0a:01:00:10',
  )
  // The SHA-256 of the text fd01::1 begins with these four bytes.
  expect(secondaryMac(['fd01::1/64'], { requested: undefined, attachment: 'x' })).toBe('0a:58:28:71:f0:c9')
  const none = secondaryMac([], { requested: undefined, attachment: 'x' })
  expect(none).toBe(secondaryMac([], { requested: undefined, attachment: 'x' }))
  expect(none).not.toBe(secondaryMac([], { requested: undefined, attachment: 'y' }))
})

test('nodes get a part of each family and keep the one they have', () => {
  const claims = (own: Record<string, string[]>) => (network: string) => own[network] ?? []
  const given = allocateSecondarySubnets(
    [
      { node: 'n1', subnetsOf: claims({}) },
      { node: 'n2', subnetsOf: claims({ 'my-net': ['10.2.0.0/24', 'fd02:0:0:9::/64'] }) },
    ],
    [tall, flat],
  )
  expect(Object.fromEntries(given)).toEqual({
    n1: { 'my-net': ['10.2.1.0/24', 'fd02:0:0:1::/64'] },
    n2: { 'my-net': ['10.2.0.0/24', 'fd02:0:0:9::/64'] },
  })
})

test('addresses are given for all families or for none', () => {
  const pools = new AddressPools()
  pools.set('s', ['10.1.0.0/30', 'fd01::/64'], { of: 'network' })
  expect(pools.allocate('s', 'a')).toEqual(['10.1.0.1/30', 'fd01::1/64'])
  expect(() => pools.claim('s', 'b', ['fd01::5', '10.1.0.1'])).toThrow('10.1.0.1 is in use by a')
  pools.claim('s', 'c', ['fd01::5'])
  expect(pools.allocate('s', 'd')).toEqual(['10.1.0.2/30', 'fd01::6/64'])
  expect(() => pools.allocate('s', 'e')).toThrow('all 2 addresses of 10.1.0.0/30 are in use')
  pools.release('s', 'a', ['10.1.0.1/30', 'fd01::1/64'])
  expect(pools.allocate('s', 'e')).toEqual(['10.1.0.1/30', 'fd01::7/64'])
  expect(() => pools.claim('s', 'f', ['10.9.0.1'])).toThrow("10.9.0.1 is not in the network's subnet 10.1.0.0/30")
})

test('a pool that is set again as it is forgets nothing', () => {
  const pools = new AddressPools()
  expect(pools.set('s', ['10.1.0.0/29'], { of: 'network', excluded: ['10.1.0.0/30'] })).toBe(true)
  expect(pools.allocate('s', 'a')).toEqual(['10.1.0.4/29'])
  expect(pools.set('s', ['10.1.0.0/29'], { of: 'network', excluded: ['10.1.0.0/30'] })).toBe(false)
  expect(pools.allocate('s', 'b')).toEqual(['10.1.0.5/29'])
})
