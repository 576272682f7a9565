import { describe, expect, test } from 'vitest'
import { nodeSubnet } from '../topology/names.ts'
import { buildGatewayFlows } from './gateway/flows.ts'
import { buildNatRules, gatewayOperations, managementPortOperations } from './host-network.ts'
import { describeInterface, podOperations, resultOf } from './pod-interface.ts'

const network = {
  ip_addresses: ['10.144.0.31/24'],
  mac_address: '0a:58:0a:90:00:1f',
  gateway_ips: ['10.144.0.1'],
  routes: [
    { dest: '10.144.0.0/16', nextHop: '10.144.0.1' },
    { dest: '10.96.0.0/16', nextHop: '10.144.0.1' },
  ],
}
const request = {
  containerId: '0123456789abcdef0123',
  ifName: 'eth1',
  netns: '/run/netns/p',
  isDefault: false,
  pod: { namespace: 'default', name: 'p' },
  config: { networkKey: 'default' },
}

describe("a pod's interface", () => {
  test('has the gateway of its own subnet, and no default route beside another network', () => {
    const pod = describeInterface(request, network, 1400)
    expect(pod.hostName).toBe('0123456789abcde')
    expect(resultOf(pod)).toEqual({
      interfaces: [
        { name: '0123456789abcde', mtu: 1400 },
        { name: 'eth1', mac: '0a:58:0a:90:00:1f', mtu: 1400, sandbox: '/run/netns/p' },
      ],
      ips: [{ address: '10.144.0.31/24', gateway: '10.144.0.1', interface: 1 }],
      routes: [
        { dst: '10.144.0.0/16', gw: '10.144.0.1' },
        { dst: '10.96.0.0/16', gw: '10.144.0.1' },
      ],
      dns: {},
    })
  })

  test('has the default route when it is the first', () => {
    const pod = describeInterface({ ...request, isDefault: true }, network, 1400)
    expect(pod.routes[0]).toEqual({ dst: '0.0.0.0/0', gw: '10.144.0.1' })
  })

  test('computes checksums itself in the userspace datapath only', () => {
    const pod = describeInterface(request, network, 1400)
    const offloads = (isUserspace: boolean) =>
      podOperations(pod, { isUserspace }).filter(({ op }) => op === 'checksumOffload')
    expect(offloads(true)).toEqual([{ op: 'checksumOffload', device: 'eth1', isOn: false }])
    expect(offloads(false)).toEqual([])
    expect(podOperations(pod, { isUserspace: false })).toContainEqual({
      op: 'ensureAddress',
      device: 'eth1',
      address: '10.144.0.31/24',
      broadcast: '10.144.0.255',
    })
  })
})

describe('flows of the gateway bridge', () => {
  const facts = {
    mac: '52:54:00:00:00:01',
    uplink: 1,
    encapType: 'vxlan',
    netCidrs: ['10.144.0.0/16', '10.150.0.0/16'],
  } as const

  test('without a patch port join NIC and host only', () => {
    expect(buildGatewayFlows(facts)).toBe(
      'table=0,priority=10,in_port=1,actions=LOCAL\n' +
        'table=0,priority=10,in_port=LOCAL,actions=output:1\n' +
        'table=0,priority=0,actions=drop\n',
    )
  })

  test('never leave the choice between host and router to learning', () => {
    expect(buildGatewayFlows({ ...facts, patch: 2 })).not.toMatch(/NORMAL|FLOOD/)
  })

  test('treat neighbour discovery as ARP: the host alone answers, an advertisement may be for either', () => {
    const flows = buildGatewayFlows({ ...facts, patch: 2, netCidrs: ['fd01::/48'] })
    expect(flows).toContain('priority=60,in_port=1,icmp6,icmp_type=135,actions=LOCAL\n')
    expect(flows).toContain('priority=60,in_port=1,icmp6,icmp_type=136,actions=LOCAL,output:2\n')
    expect(flows).toContain('table=1,priority=15,ipv6,ipv6_dst=fd01::/48,actions=output:2\n')
  })

  test('let the tunnels of the encapsulation in use through', () => {
    expect(buildGatewayFlows({ ...facts, patch: 2 })).toMatch(
      /in_port=1,dl_dst=52:54:00:00:00:01,udp,tp_dst=4789,actions=LOCAL/,
    )
    expect(buildGatewayFlows({ ...facts, patch: 2, encapType: 'geneve' })).toMatch(/tp_dst=6081/)
  })
})

describe("the host's network", () => {
  const facts = {
    subnets: [nodeSubnet('10.144.1.0/24')],
    netCidrs: ['10.144.0.0/16'],
    svcCidrs: ['10.96.0.0/16'],
    mtuBytes: 1400,
    internalAddresses: ['192.168.122.101'],
    gateway: { device: 'brens3', addresses: ['192.168.200.101'], nextHops: ['192.168.200.1'] },
  }

  test('sends services from the address of the node, not of the management port', () => {
    expect(managementPortOperations(facts)).toContainEqual({
      op: 'ensureRoute',
      route: {
        family: 4,
        destination: '10.96.0.0/16',
        gateway: '10.144.1.1',
        source: '192.168.122.101',
        device: 'ovn-k8s-mp0',
        protocol: 144,
      },
    })
  })

  test('takes known prefixes first and then the gateway interface, for pods and for its own address', () => {
    const rules = gatewayOperations(facts).flatMap((operation) =>
      operation.op === 'ensureRule' ? [operation.rule] : [],
    )
    expect(rules.map(({ table, suppressPrefixLength }) => [table, suppressPrefixLength])).toEqual([
      [254, 0],
      [14_400, undefined],
      [254, 0],
      [14_400, undefined],
    ])
    expect(rules.map(({ inputDevice, from }) => inputDevice ?? from)).toEqual([
      'ovn-k8s-mp0',
      'ovn-k8s-mp0',
      '192.168.200.101/32',
      '192.168.200.101/32',
    ])
  })

  test('has the same of IPv6 where the node has a subnet of it, and leaves the link its own addresses', () => {
    const both = {
      ...facts,
      subnets: [nodeSubnet('10.144.1.0/24'), nodeSubnet('fd01:0:0:1::/64')],
      netCidrs: ['10.144.0.0/16', 'fd01::/48'],
      svcCidrs: ['10.96.0.0/16', 'fd02::/112'],
    }
    const operations = managementPortOperations(both)
    const routes = operations.flatMap((each) => (each.op === 'ensureRoute' ? [each.route] : []))
    expect(
      routes.filter(({ family }) => family === 6).map(({ destination, gateway }) => [destination, gateway]),
    ).toEqual([
      ['fd01::/48', 'fd01:0:0:1::1'],
      ['fd69::3/128', 'fd01:0:0:1::1'],
      ['fd02::/112', 'fd01:0:0:1::1'],
    ])
    // The router has one MAC, that of its first address.
    const macs = operations.flatMap((each) => (each.op === 'ensureNeighbor' ? [each.neighbor.mac] : []))
    expect(new Set(macs)).toEqual(new Set(['0a:58:0a:90:01:01']))
    expect(buildNatRules(both)).toContain('ip6 saddr != fd01:0:0:1::2 ip6 saddr != fe80::/10 snat ip6 to fd01:0:0:1::2')
    const gateway = {
      device: 'brens3',
      addresses: ['192.168.200.101', 'fd03::1'],
      nextHops: ['192.168.200.1', 'fe80::1'],
    }
    const rules = gatewayOperations({ ...both, gateway }).flatMap((each) =>
      each.op === 'ensureRule' ? [each.rule] : [],
    )
    expect(rules.map(({ family, from }) => [family, from]).filter(([, from]) => from !== undefined)).toEqual([
      [4, '192.168.200.101/32'],
      [4, '192.168.200.101/32'],
      [6, 'fd03::1/128'],
      [6, 'fd03::1/128'],
    ])
  })

  test('without a gateway interface leaves the routing of the host alone', () => {
    const { gateway: _, ...rest } = facts
    expect(gatewayOperations(rest)).toEqual([])
  })

  test('replaces its own table of nftables and touches no other', () => {
    const tables = buildNatRules(facts).match(/table \S+ \S+/g)
    expect(new Set(tables)).toEqual(new Set(['table inet twinlane-ovn']))
  })
})
