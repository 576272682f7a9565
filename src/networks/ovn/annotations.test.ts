import { expect, test } from 'vitest'
import {
  findGateway,
  findNodeSubnets,
  findPodNetwork,
  nodeAnnotation,
  podNetworksAnnotation,
  renderGateway,
} from './annotations.ts'

const object = (key: string, value: string) => ({ metadata: { name: 'x', annotations: { [key]: value } } })

test('the subnets of a node are read in the newer form, as a text in the map, and as the older bare text', () => {
  const subnetsOf = (text: string) => findNodeSubnets(object(nodeAnnotation.subnets, text), 'default')
  expect(subnetsOf('{"default":["10.144.0.0/24","fd01::/64"]}')).toEqual(['10.144.0.0/24', 'fd01::/64'])
  expect(subnetsOf('{"default":"10.144.0.0/24"}')).toEqual(['10.144.0.0/24'])
  expect(subnetsOf('10.144.0.0/24')).toEqual(['10.144.0.0/24'])
  expect(findNodeSubnets({ metadata: { name: 'x' } }, 'default')).toEqual([])
})

test.each([
  [['192.168.200.10/24'], ['192.168.200.1'], { 'ip-address': '192.168.200.10/24', 'next-hop': '192.168.200.1' }],
  [['192.168.200.10/24', 'fd02::10/64'], ['192.168.200.1', 'fe80::1'], {}],
])('a gateway with the addresses %j reads back as it was written', (addresses, nextHops, scalars) => {
  const gateway = {
    bridge: 'brens3',
    interfaceId: 'brens3_n1',
    mac: '52:54:00:00:00:01',
    addresses,
    nextHops,
    vlanId: '0',
  }
  const written = JSON.parse(renderGateway(gateway)).default as Record<string, unknown>
  // Upstream has the fields for one value only where there is one.
  expect(
    Object.fromEntries(Object.entries(written).filter(([key]) => key in { 'ip-address': 1, 'next-hop': 1 })),
  ).toEqual(scalars)
  expect(findGateway(object(nodeAnnotation.gateway, renderGateway(gateway)))).toEqual(gateway)
})

test('a gateway that is disabled is none', () => {
  expect(findGateway(object(nodeAnnotation.gateway, renderGateway(undefined)))).toBeUndefined()
})

test("a pod's network is found by its key, and a wrong one names the annotation", () => {
  const text = JSON.stringify({ default: { ip_addresses: ['10.144.0.5/24'], mac_address: '0a:58:0a:90:00:05' } })
  expect(findPodNetwork(object(podNetworksAnnotation, text), 'default')?.mac_address).toBe('0a:58:0a:90:00:05')
  expect(findPodNetwork(object(podNetworksAnnotation, text), 'other')).toBeUndefined()
  expect(() => findPodNetwork(object(podNetworksAnnotation, '{"default":{}}'), 'default')).toThrow(
    /no address or no MAC/,
  )
  expect(() => findPodNetwork(object(podNetworksAnnotation, '{'), 'default')).toThrow(/is not JSON/)
})
