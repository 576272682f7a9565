import { expect, test } from 'vitest'
import type { PodResource } from '../../../kube/resources/core.ts'
import { bareAddress, podNetworksAnnotation } from '../annotations.ts'
import type { ClusterContext } from './context.ts'
import { PodPlaces } from './pod-places.ts'

const key = 'default/p'
const ours = JSON.stringify({ cniVersion: '0.4.0', name: 'ovn-kubernetes', type: 'ovn-k8s-cni-overlay' })
const refused = JSON.stringify({ cniVersion: '0.4.0', name: 'r', type: 'ovn-k8s-cni-overlay', ipam: { type: 'x' } })
const bridge = JSON.stringify({ cniVersion: '1.0.0', name: 'b', type: 'bridge' })
const portOfFirst = { addresses: ['0a:58:0a:90:00:07 10.144.0.7'], options: { 'iface-id-ver': 'first' } }

/** One node n1 with its switch, the network `net`, and what a test changes of it. */
class Fixture {
  nads: Record<string, string> = { net: ours, bridge }
  pods: PodResource[] = []
  port: object | undefined
  readonly events: string[] = []
  readonly places = new PodPlaces({
    settings: { netCidrs: ['10.144.0.0/16'], svcCidrs: ['172.30.0.0/16'] },
    northbound: { view: { find: () => ({ _uuid: 'switch' }), byName: () => this.port } },
    events: { event: (...[, , , message]: string[]) => this.events.push(message ?? '') },
    pods: { list: () => this.pods },
    nads: { get: (name: string) => this.#nad(name) },
    nodeFacts: () => [{ name: 'n1', subnets: ['10.144.0.0/24'] }],
  } as unknown as ClusterContext)

  #nad(name: string): object | undefined {
    const config = this.nads[name]
    return config === undefined ? undefined : { metadata: { name, namespace: 'default' }, spec: { config } }
  }
}

function pod(networks: string, { uid = 'first', ovn = '', status = '' } = {}): PodResource {
  const annotations = {
    'k8s.v1.cni.cncf.io/networks': networks,
    ...(ovn && { [podNetworksAnnotation]: ovn }),
    ...(status && { 'k8s.v1.cni.cncf.io/network-status': status }),
  }
  const metadata = { name: 'p', namespace: 'default', uid, annotations }
  return { metadata, spec: { containers: [], nodeName: 'n1' }, status: { phase: 'Running' } } as PodResource
}

/** A pod that has its place. */
function running() {
  const fixture = new Fixture()
  fixture.places.adoptAll()
  const place = fixture.places.want(key, pod('net'))?.place
  expect(place?.addresses).toEqual([expect.stringMatching(/^10\.144\.0\.\d+\/24$/)])
  return { fixture, place }
}

test('a running pod keeps its place while its annotation cannot be read', () => {
  const { fixture, place } = running()
  expect(fixture.places.want(key, pod('[{"name": 5}]'))).toMatchObject({ place, network: undefined })
  expect(fixture.places.want(key, pod('net'))?.place).toEqual(place)
})

test.each([
  ['is deleted', {}],
  ['cannot be read', { net: '{' }],
  ['is refused', { net: refused }],
])('a running pod keeps its place while its network %s', (_, nads) => {
  const { fixture, place } = running()
  fixture.nads = nads
  expect(fixture.places.want(key, pod('net'))).toMatchObject({ place, network: undefined })
})

test('a running pod keeps its place while it names our network twice', () => {
  const { fixture, place } = running()
  fixture.nads = { net: ours, bridge: ours }
  expect(fixture.places.want(key, pod('net, bridge'))?.place).toEqual(place)
})

test.each(['[{"name": 5}]', 'missing', 'refused'])('a pod that never had a place gets none for %j', (networks) => {
  const fixture = new Fixture()
  fixture.nads = { refused }
  fixture.places.adoptAll()
  expect(fixture.places.want(key, pod(networks))).toBeUndefined()
  expect(fixture.events).toEqual(networks === 'refused' ? [expect.stringMatching(/addresses come from OVN/)] : [])
})

test('a pod of the same name does not inherit the place', () => {
  const { fixture } = running()
  expect(fixture.places.want(key, pod('[{"name": 5}]', { uid: 'second' }))).toBeUndefined()
})

test('a pod that is gone, or readably names our network no longer, loses its place', () => {
  const { fixture } = running()
  expect(fixture.places.want(key, undefined)).toBeUndefined()
  expect(fixture.places.want(key, pod('bridge'))).toBeUndefined()
  expect(fixture.places.want(key, pod(''))).toBeUndefined()
})

test('a controller that starts while the annotation cannot be read finds the place by its port', () => {
  const fixture = new Fixture()
  fixture.port = portOfFirst
  fixture.pods = [pod('[{"name": 5}]')]
  fixture.places.adoptAll()
  expect(fixture.places.want(key, pod('[{"name": 5}]'))?.place).toMatchObject({
    addresses: ['10.144.0.7/24'],
    mac: '0a:58:0a:90:00:07',
  })
})

test.each([
  ['no port', undefined],
  ['the port of an earlier pod', { ...portOfFirst, options: { 'iface-id-ver': 'earlier' } }],
])('an annotation left over gives no place to a pod that has %s', (_, port) => {
  const fixture = new Fixture()
  fixture.port = port
  const left = { default: { ip_addresses: ['10.144.0.7/24'], mac_address: '0a:58:0a:90:00:07' } }
  fixture.pods = [pod('[{"name": 5}]', { ovn: JSON.stringify(left) })]
  fixture.places.adoptAll()
  expect(fixture.places.want(key, fixture.pods[0])).toBeUndefined()
})

/** A pod that has its place and its interface: OVN's port, our annotation and network-status say so. */
function attached() {
  const { fixture, place } = running()
  const { addresses: [text = ''] = [], mac = '' } = place ?? {}
  const address = bareAddress(text)
  const port = { addresses: [`${mac} ${address}`], options: { 'iface-id-ver': 'first' }, up: true }
  fixture.port = port
  const ovn = JSON.stringify({ default: { ip_addresses: [`${address}/24`], mac_address: mac } })
  const status = JSON.stringify([{ name: 'default/net', interface: 'eth1', ips: [address], dns: {} }])
  return { fixture, place, port, ovn, status, address, mac }
}

const another = '[{"name": "net", "ips": ["10.144.0.77/24"]}]'
const anotherMac = '[{"name": "net", "mac": "02:00:00:00:00:01"}]'

test.each([
  ['asks for other networks', 'bridge', { net: ours, bridge }],
  ['asks for nothing', '', { net: ours }],
  ['asks for a network that is of another type by now', 'net', { net: bridge }],
  ['asks for another address', another, { net: ours }],
  ['asks for another MAC', anotherMac, { net: ours }],
])(
  'a running pod that %s keeps its place until it has lost the interface, then its annotation goes',
  (_, networks, nads) => {
    const { fixture, place, port, ovn, status } = attached()
    fixture.nads = nads
    expect(fixture.places.want(key, pod(networks, { ovn, status }))).toMatchObject({ place, network: undefined })
    port.up = false
    expect(fixture.places.want(key, pod(networks, { ovn, status }))).toMatchObject({ place, network: undefined })
    expect([...fixture.places.held()]).toEqual([key])
    expect(fixture.places.want(key, pod(networks, { ovn }))).toMatchObject({ place, network: 'none' })
    expect([...fixture.places.held()]).toEqual([])
  },
)

test('the port that OVN has bound is enough for a place to be kept, whatever network-status says', () => {
  const { fixture, place, ovn } = attached()
  expect(fixture.places.want(key, pod('', { ovn, status: '{' }))).toMatchObject({ place, network: undefined })
})

test('a pod that asks again before it has lost the interface keeps its place', () => {
  const { fixture, place, ovn, status } = attached()
  fixture.places.want(key, pod('', { ovn, status }))
  expect(fixture.places.want(key, pod('net', { ovn, status }))?.place).toBe(place)
})

test('another address comes when the annotation says nothing any more, and the first is free then', () => {
  const { fixture, place, port, ovn, address } = attached()
  port.up = false
  expect(fixture.places.want(key, pod(another, { ovn }))).toMatchObject({ place, network: 'none' })
  expect(fixture.places.want(key, pod(another))).toMatchObject({
    place: { addresses: ['10.144.0.77/24'] },
    network: { ip_address: '10.144.0.77/24' },
  })
  const heir = pod(`[{"name": "net", "ips": ["${address}"]}]`, { uid: 'second' })
  heir.metadata.name = 'q'
  expect(fixture.places.want('default/q', heir)?.place?.addresses).toEqual([`${address}/24`])
})

test('another MAC with the same address leaves the address taken', () => {
  const { fixture, port, ovn, address } = attached()
  port.up = false
  const asked = `[{"name": "net", "ips": ["${address}"], "mac": "02:00:00:00:00:01"}]`
  expect(fixture.places.want(key, pod(asked, { ovn }))?.network).toBe('none')
  expect(fixture.places.want(key, pod(asked))?.place).toMatchObject({
    addresses: [`${address}/24`],
    mac: '02:00:00:00:00:01',
  })
  const thief = pod(asked, { uid: 'second' })
  thief.metadata.name = 'q'
  expect(fixture.places.want('default/q', thief)).toBeUndefined()
  expect(fixture.events).toEqual([expect.stringContaining(`${address} is in use by default/p`)])
})

test('a controller that starts finds the place of a pod that asks no longer but has its interface still', () => {
  const { fixture, ovn, status, address } = attached()
  const next = new Fixture()
  next.port = fixture.port
  next.pods = [pod('bridge', { ovn, status })]
  next.places.adoptAll()
  expect(next.places.want(key, next.pods[0])).toMatchObject({
    place: { addresses: [`${address}/24`] },
    network: undefined,
  })
})

test('an annotation that is left over goes', () => {
  const fixture = new Fixture()
  const left = { default: { ip_addresses: ['10.144.0.7/24'], mac_address: '0a:58:0a:90:00:07' } }
  fixture.pods = [pod('bridge', { ovn: JSON.stringify(left) })]
  fixture.places.adoptAll()
  expect(fixture.places.want(key, fixture.pods[0])).toMatchObject({ place: undefined, network: 'none' })
})
