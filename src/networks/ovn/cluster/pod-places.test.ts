import { expect, test } from 'vitest'
import type { PodResource } from '../../../kube/resources/core.ts'
import { podNetworksAnnotation } from '../annotations.ts'
import type { ClusterContext } from './context.ts'
import { PodPlaces } from './pod-places.ts'

const key = 'default/p'
const ours = JSON.stringify({ cniVersion: '0.4.0', name: 'ovn-kubernetes', type: 'ovn-k8s-cni-overlay' })
const layer2 = JSON.stringify({ cniVersion: '0.4.0', name: 'l', type: 'ovn-k8s-cni-overlay', topology: 'layer2' })
const bridge = JSON.stringify({ cniVersion: '1.0.0', name: 'b', type: 'bridge' })
const portOfFirst = { addresses: ['0a:58:0a:90:00:07 10.144.0.7'], options: { 'iface-id-ver': 'first' } }

/** One node n1 with its switch, the network `net`, and what a test changes of it. */
class Fixture {
  nads: Record<string, string> = { net: ours, bridge }
  pods: PodResource[] = []
  port: object | undefined
  readonly events: string[] = []
  readonly places = new PodPlaces({
    settings: { netCidrs: ['10.144.0.0/16'], svcCidr: '172.30.0.0/16' },
    northbound: { view: { find: () => ({ _uuid: 'switch' }), byName: () => this.port } },
    events: { event: (...[, , , message]: string[]) => this.events.push(message ?? '') },
    pods: { list: () => this.pods },
    nads: { get: (name: string) => this.#nad(name) },
    nodeFacts: () => [{ name: 'n1', subnet: '10.144.0.0/24' }],
  } as unknown as ClusterContext)

  #nad(name: string): object | undefined {
    const config = this.nads[name]
    return config === undefined ? undefined : { metadata: { name, namespace: 'default' }, spec: { config } }
  }
}

function pod(networks: string, { uid = 'first', ovn = '' } = {}): PodResource {
  const annotations = { 'k8s.v1.cni.cncf.io/networks': networks, ...(ovn && { [podNetworksAnnotation]: ovn }) }
  const metadata = { name: 'p', namespace: 'default', uid, annotations }
  return { metadata, spec: { containers: [], nodeName: 'n1' }, status: { phase: 'Running' } } as PodResource
}

/** A pod that has its place. */
function running() {
  const fixture = new Fixture()
  fixture.places.adoptAll()
  const place = fixture.places.want(key, pod('net'))?.place
  expect(place?.address).toMatch(/^10\.144\.0\./)
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
  ['is refused', { net: layer2 }],
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

test.each(['[{"name": 5}]', 'missing', 'layer2'])('a pod that never had a place gets none for %j', (networks) => {
  const fixture = new Fixture()
  fixture.nads = { layer2 }
  fixture.places.adoptAll()
  expect(fixture.places.want(key, pod(networks))).toBeUndefined()
  expect(fixture.events).toEqual(networks === 'layer2' ? [expect.stringMatching(/"layer2" is not supported/)] : [])
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
    address: '10.144.0.7',
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
