import { expect, test } from 'vitest'
import {
  findGateway,
  findNodeSubnet,
  findPodNetwork,
  nodeAnnotation,
  podNetworksAnnotation,
  renderGateway,
} from './annotations.ts'

const object = (key: string, value: string) => ({ metadata: { name: 'x', annotations: { [key]: value } } })

test('the subnet of a node is read in the newer form, as a text in the map, and as the older bare text', () => {
  expect(findNodeSubnet(object(nodeAnnotation.subnets, '{"default":["10.144.0.0/24"]}'))).toBe('10.144.0.0/24')
  expect(findNodeSubnet(object(nodeAnnotation.subnets, '{"default":"10.144.0.0/24"}'))).toBe('10.144.0.0/24')
  expect(findNodeSubnet(object(nodeAnnotation.subnets, '10.144.0.0/24'))).toBe('10.144.0.0/24')
  expect(findNodeSubnet({ metadata: { name: 'x' } })).toBeUndefined()
})

test('a gateway reads back as it was written, and a disabled one is none', () => {
  const gateway = {
    bridge: 'brens3',
    interfaceId: 'brens3_n1',
    mac: '52:54:00:00:00:01',
    address: '192.168.200.10/24',
    nextHop: '192.168.200.1',
    vlanId: '0',
  }
  expect(findGateway(object(nodeAnnotation.gateway, renderGateway(gateway)))).toEqual(gateway)
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
