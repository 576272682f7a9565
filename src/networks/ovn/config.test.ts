import { expect, test } from 'vitest'
import { ConfigError } from '../../base/errors.ts'
import { parseOvnConfig, parseOvnSettings } from './config.ts'

const remotes = { northbound: 'tcp:192.168.122.10:6641', southbound: 'tcp:192.168.122.10:6642' }

function listOf(plugin: object) {
  return {
    cniVersion: '0.4.0',
    name: 'ovn-kubernetes',
    plugins: [{ cniVersion: '0.4.0', name: 'x', type: 'x', ...plugin }],
  }
}

test("the article's settings are taken, a node gets a /24 by default", () => {
  const settings = parseOvnSettings({
    ...remotes,
    netCidr: '10.144.0.0/16',
    svcCidr: '10.96.0.0/16',
    gatewayInterface: 'ens3',
    gatewayNextHop: '192.168.200.1',
  })
  expect(settings).toMatchObject({
    nodePools: [{ cidr: '10.144.0.0/16', hostPrefix: 24 }],
    netCidrs: ['10.144.0.0/16'],
    mtuBytes: 1400,
    encapType: 'geneve',
  })
})

test('the default prefix of daemonset.sh carries the length of a subnet', () => {
  expect(parseOvnSettings(remotes)).toMatchObject({ nodePools: [{ cidr: '10.128.0.0/14', hostPrefix: 23 }] })
})

test('several prefixes are taken in order', () => {
  expect(parseOvnSettings({ ...remotes, netCidr: '10.144.0.0/16, 10.150.0.0/20/24' })).toMatchObject({
    nodePools: [
      { cidr: '10.144.0.0/16', hostPrefix: 24 },
      { cidr: '10.150.0.0/20', hostPrefix: 24 },
    ],
    netCidrs: ['10.144.0.0/16', '10.150.0.0/20'],
  })
})

test('both families are taken, with a subnet of /64 a node for IPv6', () => {
  const settings = parseOvnSettings({
    ...remotes,
    netCidr: '10.144.0.0/16,fd01::/48',
    svcCidr: '10.96.0.0/16,fd02::/112',
    gatewayNextHop: '192.168.200.1,fe80::1',
  })
  expect(settings).toMatchObject({
    nodePools: [
      { cidr: '10.144.0.0/16', hostPrefix: 24 },
      { cidr: 'fd01::/48', hostPrefix: 64 },
    ],
    svcCidrs: ['10.96.0.0/16', 'fd02::/112'],
    gatewayNextHops: ['192.168.200.1', 'fe80::1'],
  })
})

test.each([
  [{ ...remotes, netCidr: '10.144.0.0/16/12' }, /netCidr: a node's subnet of \/12 does not fit/],
  [
    { ...remotes, netCidr: '10.144.1.0/16' },
    /netCidr: "10.144.1.0\/16" has host bits set; the prefix is 10.144.0.0\/16/,
  ],
  [{ ...remotes, netCidr: 'fd01::/48/80' }, /netCidr: a node's subnet of \/80 does not fit into fd01::\/48/],
  [{ ...remotes, netCidr: 'fd01::/48' }, /svcCidr: 172.30.0.0\/16 is IPv4, which pods do not have/],
  [{ ...remotes, netCidr: 'fd98::/32', svcCidr: 'fd02::/112' }, /netCidr: fd98::\/32 overlaps the join network/],
  [{ ...remotes, svcCidr: '10.96.0.0/16,10.97.0.0/16' }, /svcCidr: 10.96.0.0\/16,10.97.0.0\/16 has two of one family/],
  [{ ...remotes, gatewayNextHop: '192.168.200.1,fe80::1' }, /gatewayNextHop: fe80::1 is IPv6, which pods do not have/],
  [{ ...remotes, netCidr: '100.64.0.0/15' }, /netCidr: 100.64.0.0\/15 overlaps the join network/],
  [{ ...remotes, netCidr: '10.96.0.0/12', svcCidr: '10.96.0.0/16' }, /netCidr: 10.96.0.0\/12 overlaps svcCidr/],
  [{ ...remotes, gatewayMode: 'shared' }, /gatewayMode: shared needs a gatewayInterface/],
  [{ ...remotes, netCidr: '10.144.0.0/16,10.144.128.0/17/24' }, /netCidr: 10.144.128.0\/17 overlaps 10.144.0.0\/16/],
  [{ ...remotes, netCidr: '10.144.0.0/16,10.150.0.0/20/26' }, /netCidr: nodes would have subnets of \/24 and \/26/],
  [{ ...remotes, hostCidrs: ['10.244.0.1/16'] }, /hostCidrs\[0\]: "10.244.0.1\/16" has host bits/],
  [{ ...remotes, gatewayInterface: 'a-very-long-name' }, /gatewayInterface: must be an interface name of at most 13/],
  [{ ...remotes, gatewayNextHop: '192.168.200' }, /gatewayNextHop: must be IP addresses/],
  [{ ...remotes, encapTyp: 'vxlan' }, /encapTyp/],
  [{ northbound: remotes.northbound }, /southbound/],
])('settings %j are refused with the name of the field', (raw, message) => {
  expect(() => parseOvnSettings(raw)).toThrow(ConfigError)
  expect(() => parseOvnSettings(raw)).toThrow(message)
})

test("the article's NetworkAttachmentDefinition is the cluster network", () => {
  const config = parseOvnConfig(
    listOf({
      type: 'ovn-k8s-cni-overlay',
      ipam: {},
      dns: {},
      logFile: '/var/log/ovn-kubernetes/ovn-k8s-cni-overlay.log',
      logLevel: '5',
      'logfile-maxsize': 100,
      'logfile-maxbackups': 5,
      'logfile-maxage': 5,
    }),
  )
  expect(config.networkKey).toBe('default')
})

test('another IPAM and chained plugins are refused', () => {
  expect(() => parseOvnConfig(listOf({ ipam: { type: 'host-local' } }))).toThrow('plugins[0].ipam.type')
  const { plugins, ...rest } = listOf({})
  expect(() => parseOvnConfig({ ...rest, plugins: [...plugins, ...plugins] })).toThrow('cannot be chained')
})
