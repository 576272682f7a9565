import { expect, test } from 'vitest'
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

test("the runtime is told the default network's result", () => {
  expect(mergeResults(sources)).toBe(eth0)
})
