import { expect, test } from 'vitest'
import type { PreviewFacts } from '../driver.ts'
import { parseOvnConfig, parseOvnSettings } from './config.ts'
import { ovnDriver } from './driver.ts'

const settings = parseOvnSettings({ northbound: 'tcp:192.0.2.1:6641', southbound: 'tcp:192.0.2.1:6642' })
const nodeSubnets = JSON.stringify({ default: ['10.128.0.0/23'], net: ['10.2.4.0/24'] })

function preview(keys: object, requested: PreviewFacts['requested'] = {}, pods = '{}') {
  const plugin = { cniVersion: '1.0.0', name: 'net', type: 'ovn-k8s-cni-overlay', netAttachDefName: 'ns/net', ...keys }
  const config = parseOvnConfig({ cniVersion: '1.0.0', name: 'net', plugins: [plugin] })
  return ovnDriver.preview(config, settings, {
    kube: {} as never,
    ifName: 'net1',
    isDefault: false,
    requested,
    pod: { metadata: { name: 'p', annotations: { 'k8s.ovn.org/pod-networks': pods } } },
    node: { metadata: { name: 'n1', annotations: { 'k8s.ovn.org/node-subnets': nodeSubnets } } },
  })
}

test('a layer2 network gives an example that is not excluded, and says where the address will come from', async () => {
  const found = await preview({ topology: 'layer2', subnets: '10.1.0.0/24', excludeSubnets: '10.1.0.0/28' })
  expect(found.result.ips).toEqual([{ address: '10.1.0.16/24', interface: 1 }])
  expect(found).toMatchObject({ ranges: ['10.1.0.0/24'], mac: undefined, mtuBytes: 1400 })
})

test("a layer3 network takes it from the node's part, with the route to the others", async () => {
  const found = await preview({ topology: 'layer3', subnets: '10.2.0.0/16/24', mtu: 1300 })
  expect(found.result).toMatchObject({
    ips: [{ address: '10.2.4.3/24', gateway: '10.2.4.1' }],
    routes: [{ dst: '10.2.0.0/16', gw: '10.2.4.1' }],
  })
  expect(found).toMatchObject({ ranges: ['10.2.4.0/24'], mtuBytes: 1300 })
})

test('what is asked for, or given already, is certain', async () => {
  const asked = await preview({ topology: 'layer2', subnets: '10.1.0.0/24' }, { ips: ['10.1.0.77'] })
  expect(asked).toMatchObject({ ranges: [], mac: '0a:58:0a:01:00:4d' })
  const given = JSON.stringify({ 'ns/net': { ip_addresses: ['10.1.0.9/24'], mac_address: '02:00:00:00:00:09' } })
  const found = await preview({ topology: 'layer2', subnets: '10.1.0.0/24' }, {}, given)
  expect(found).toMatchObject({ ranges: [], mac: '02:00:00:00:00:09', result: { ips: [{ address: '10.1.0.9/24' }] } })
})

test('a network without subnets gives none, and says so', async () => {
  const found = await preview({ topology: 'layer2' })
  expect(found.result.ips).toEqual([])
  expect(found.notes).toEqual(['net1 gets no address: network "net" has none'])
})

test('an address that the network cannot give is refused', async () => {
  await expect(preview({ topology: 'layer2', subnets: '10.1.0.0/24' }, { ips: ['10.9.0.1'] })).rejects.toThrow(
    "10.9.0.1 is not in the network's subnet 10.1.0.0/24",
  )
})
