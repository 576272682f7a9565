import { expect, test } from 'vitest'
import { ConfigError } from '../../../base/errors.ts'
import { parseOvnConfig } from '../config.ts'

function parse(keys: object) {
  const plugin = {
    cniVersion: '1.0.0',
    name: 'blue',
    type: 'ovn-k8s-cni-overlay',
    netAttachDefName: 'ns1/nad1',
    ...keys,
  }
  return parseOvnConfig({ cniVersion: '1.0.0', name: 'blue', plugins: [plugin] })
}

test('a layer3 network divides its prefix among the nodes, /24 and /64 unless it says otherwise', () => {
  const config = parse({ topology: 'layer3', subnets: '10.128.0.0/16, fd00::/48', mtu: 1300, role: 'secondary' })
  expect(config.networkKey).toBe('ns1/nad1')
  expect(config.secondary).toEqual({
    name: 'blue',
    topology: 'layer3',
    subnets: [
      { cidr: '10.128.0.0/16', hostPrefix: 24 },
      { cidr: 'fd00::/48', hostPrefix: 64 },
    ],
    excludeSubnets: [],
    mtuBytes: 1300,
    vlanId: undefined,
    physicalNetwork: undefined,
    allowsPersistentIps: false,
  })
  expect(parse({ topology: 'layer3', subnets: '10.128.0.0/14/23' }).secondary?.subnets).toEqual([
    { cidr: '10.128.0.0/14', hostPrefix: 23 },
  ])
})

test('layer2 and localnet may go without subnets, and exclude parts of those that they have', () => {
  expect(parse({ topology: 'layer2' }).secondary?.subnets).toEqual([])
  const subnets = { subnets: '10.1.0.0/24', excludeSubnets: '10.1.0.0/27,10.1.0.122/32' }
  expect(parse({ topology: 'localnet', ...subnets }).secondary?.excludeSubnets).toEqual([
    '10.1.0.0/27',
    '10.1.0.122/32',
  ])
})

test('a localnet network has the physical network of its own name unless it names another', () => {
  expect(parse({ topology: 'localnet', vlanID: 0 }).secondary).toMatchObject({
    physicalNetwork: 'blue',
    vlanId: undefined,
  })
  const named = parse({ topology: 'localnet', physicalNetworkName: 'tenants', vlanID: 20 }).secondary
  expect(named).toMatchObject({ physicalNetwork: 'tenants', vlanId: 20 })
})

test('persistent addresses need addresses', () => {
  expect(parse({ topology: 'layer2', allowPersistentIPs: true }).secondary?.allowsPersistentIps).toBe(false)
  const config = parse({ topology: 'layer2', subnets: '10.1.0.0/24', allowPersistentIPs: true })
  expect(config.secondary?.allowsPersistentIps).toBe(true)
})

test.each([
  [{ topology: 'layer4' }, 'plugins[0].topology: "layer4" is no topology of OVN'],
  [{ topology: 'layer2', netAttachDefName: undefined }, 'plugins[0].netAttachDefName: is missing'],
  [{ topology: 'layer2', netAttachDefName: 'nad1' }, 'plugins[0].netAttachDefName: "nad1" is no such name'],
  [{ topology: 'layer2', role: 'primary', subnets: '10.1.0.0/24' }, 'role: primary networks are not supported'],
  [{ topology: 'localnet', role: 'primary' }, 'role: a localnet network can only be secondary'],
  [{ topology: 'layer2', role: 'main' }, 'role: "main" is neither primary nor secondary'],
  [{ topology: 'layer3' }, 'subnets: is missing'],
  [{ topology: 'layer3', subnets: '10.1.0.0/24' }, "a node's part of /24 does not fit into 10.1.0.0/24"],
  [{ topology: 'layer2', subnets: '10.1.0.0/16/24' }, 'plugins[0].subnets: "10.1.0.0/16/24"'],
  [{ topology: 'layer2', subnets: '10.1.0.5/24' }, 'has host bits set; the prefix is 10.1.0.0/24'],
  [{ topology: 'layer2', subnets: '10.1.0.0/24,10.2.0.0/24' }, 'has more than one IPv4 prefix'],
  [
    { topology: 'layer2', subnets: '10.1.0.0/24', excludeSubnets: '10.2.0.0/28' },
    'excludeSubnets: 10.2.0.0/28 does not lie inside',
  ],
  [{ topology: 'layer3', subnets: '10.1.0.0/16', excludeSubnets: '10.1.0.0/28' }, 'excludeSubnets: has no meaning'],
  [{ topology: 'layer3', subnets: '10.1.0.0/16', allowPersistentIPs: true }, 'allowPersistentIPs: has no meaning'],
  [{ topology: 'layer2', vlanID: 20 }, 'vlanID: has no meaning in topology layer2'],
  [{ topology: 'localnet', vlanID: 4095 }, 'vlanID: must be a VLAN ID'],
  [{ topology: 'layer3', subnets: '10.1.0.0/16', physicalNetworkName: 'x' }, 'physicalNetworkName: has no meaning'],
  [{ topology: 'localnet', joinSubnet: '100.65.0.0/16' }, 'joinSubnet: has no meaning in topology localnet'],
  [{ topology: 'layer2', ipam: { type: 'host-local' } }, 'plugins[0].ipam.type: addresses come from OVN'],
])('%j is refused with the name of the field', (keys, message) => {
  expect(() => parse(keys)).toThrow(ConfigError)
  expect(() => parse(keys)).toThrow(message)
})
