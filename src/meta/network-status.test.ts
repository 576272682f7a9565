import { describe, expect, test } from 'vitest'
import type { CniResult } from '../cni/result.ts'
import { mergeResults } from './merge-results.ts'
import { renderNetworkStatus } from './network-status.ts'

const eth0: CniResult = {
  interfaces: [{ name: 'cali1' }, { name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1500, sandbox: '/run/netns/x' }],
  ips: [{ address: '10.244.83.250/32', interface: 1 }],
  routes: [{ dst: '169.254.1.1/32' }],
  dns: {},
}
const eth1: CniResult = {
  interfaces: [{ name: 'eth1', mac: '0a:58:0a:90:00:1f', mtu: 1400, sandbox: '/run/netns/x' }],
  ips: [{ address: '10.144.0.31/24', gateway: '10.144.0.1', interface: 0 }],
  routes: [
    { dst: '0.0.0.0/0', gw: '10.144.0.1' },
    { dst: '10.96.0.0/16', gw: '10.144.0.1' },
  ],
  dns: {},
}
const sources = [
  { networkName: 'k8s-pod-network', ifName: 'eth0', isDefault: true, result: eth0 },
  { networkName: 'default/yusur-ovn', ifName: 'eth1', isDefault: false, result: eth1 },
]

test("the annotation of the article's pod is written as Multus writes it", () => {
  expect(renderNetworkStatus(sources)).toBe(`[{
    "name": "k8s-pod-network",
    "interface": "eth0",
    "ips": [
        "10.244.83.250"
    ],
    "mac": "02:00:00:00:00:01",
    "mtu": 1500,
    "default": true,
    "dns": {}
},{
    "name": "default/yusur-ovn",
    "interface": "eth1",
    "ips": [
        "10.144.0.31"
    ],
    "mac": "0a:58:0a:90:00:1f",
    "mtu": 1400,
    "dns": {},
    "gateway": [
        "10.144.0.1"
    ]
}]`)
})

test('a plugin that reported nothing has a name and dns only', () => {
  const empty = { interfaces: [], ips: [], routes: [], dns: {} }
  expect(
    JSON.parse(renderNetworkStatus([{ networkName: 'n', ifName: 'net1', isDefault: false, result: empty }])),
  ).toEqual([{ name: 'n', dns: {} }])
})

describe('a plugin that made several interfaces in the pod', () => {
  const sandbox = '/run/netns/x'
  const result: CniResult = {
    interfaces: [{ name: 'br0' }, { name: 'net1', sandbox, mac: '02:00:00:00:00:01' }, { name: 'net1b', sandbox }],
    ips: [
      { address: '10.1.0.2/24' },
      { address: '10.2.0.2/24', interface: 2, gateway: '10.2.0.1' },
      { address: '10.3.0.2/24', interface: 0 },
    ],
    routes: [{ dst: '0.0.0.0/0', gw: '10.2.0.1' }],
    dns: { nameservers: ['10.2.0.3'] },
  }
  const source = { networkName: 'n', ifName: 'net1', isDefault: true, result, deviceInfo: { type: 'pci' } }

  test('has an element for each, and what it has once stands at the interface with the gateway', () => {
    expect(JSON.parse(renderNetworkStatus([source]))).toEqual([
      {
        name: 'n',
        interface: 'net1',
        ips: ['10.1.0.2', '10.3.0.2'],
        mac: '02:00:00:00:00:01',
        dns: { nameservers: ['10.2.0.3'] },
      },
      {
        name: 'n',
        interface: 'net1b',
        ips: ['10.2.0.2'],
        default: true,
        dns: { nameservers: ['10.2.0.3'] },
        gateway: ['10.2.0.1'],
        'device-info': { type: 'pci' },
      },
    ])
  })

  test('has them at the first when no address has a gateway', () => {
    const ips = [{ address: '10.1.0.2/24', interface: 2 }]
    const elements = JSON.parse(renderNetworkStatus([{ ...source, result: { ...result, ips, routes: [] } }]))
    expect(elements[0]).toMatchObject({ interface: 'net1', default: true, 'device-info': { type: 'pci' } })
    expect(elements[1]).toMatchObject({ interface: 'net1b', ips: ['10.1.0.2'] })
    expect(elements[1].default).toBeUndefined()
  })
})

test("the runtime is told the default network's result", () => {
  expect(mergeResults(sources)).toBe(eth0)
})
