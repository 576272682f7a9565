import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../base/log.ts'
import { waitFor } from '../../base/observable.ts'
import type { Informer } from '../../kube/api.ts'
import { createFakeKube, type FakeKube } from '../../kube/fake.ts'
import { createInformer } from '../../kube/informer.ts'
import { type EndpointSliceResource, endpointSlices, pods, services } from '../../kube/resources/core.ts'
import { startEndpointSliceController } from './endpoint-slice-controller.ts'
import { endpoints } from './resources.ts'

let kube: FakeKube
let stop: AbortController
let slices: Informer<EndpointSliceResource>
beforeEach(async () => {
  kube = createFakeKube()
  stop = new AbortController()
  slices = createInformer(kube, endpointSlices, { log: silentLog })
  await Promise.all([startEndpointSliceController({ kube, log: silentLog }, stop.signal), slices.start(stop.signal)])
})
afterEach(() => stop.abort())

function createService(spec: object): Promise<unknown> {
  const metadata = { name: 'web', namespace: 'default' }
  const standard = { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'web' }] }
  return kube.create(services, { metadata, spec: { ...standard, ...spec } } as never)
}

async function createPod(name: string, ip: string, ready = 'True'): Promise<void> {
  const ports = [{ name: 'web', containerPort: 8080 }]
  const spec = { nodeName: 'work01', containers: [{ name: 'main', ports }] }
  const status = { phase: 'Running', podIPs: [{ ip }], conditions: [{ type: 'Ready', status: ready }] }
  kube.seed(pods, { metadata: { name, namespace: 'default', labels: { app: 'web' } }, spec, status } as never)
}

function waitForSlice(look: (slice: EndpointSliceResource) => boolean): Promise<EndpointSliceResource> {
  const detail = (): string => JSON.stringify(slices.list())
  return waitFor(slices, () => slices.list().find(look), { what: 'the slice', timeoutMs: 2000, detail })
}

describe('startEndpointSliceController', () => {
  it('lists ready pods with the port that its name means in them', async () => {
    await createService({})
    await createPod('a', '10.144.0.5')
    await createPod('b', '10.144.0.6', 'False')
    const slice = await waitForSlice(({ endpoints: list }) => list.length === 2)
    expect(slice.metadata.name).toMatch(/^web-[0-9a-f]{5}$/)
    expect(slice.metadata.labels).toMatchObject({ 'kubernetes.io/service-name': 'web' })
    expect(slice).toMatchObject({ addressType: 'IPv4', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] })
    expect(slice.endpoints).toMatchObject([
      { addresses: ['10.144.0.5'], nodeName: 'work01', conditions: { ready: true, serving: true, terminating: false } },
      { addresses: ['10.144.0.6'], conditions: { ready: false } },
    ])
    const old = await kube.get(endpoints, 'web', 'default')
    expect(old.subsets).toMatchObject([
      { addresses: [{ ip: '10.144.0.5' }], notReadyAddresses: [{ ip: '10.144.0.6' }], ports: [{ port: 8080 }] },
    ])
  })

  it('publishes pods that are not ready when the service wants it, and marks headless services', async () => {
    await createService({ publishNotReadyAddresses: true, clusterIP: 'None' })
    await createPod('a', '10.144.0.5', 'False')
    const slice = await waitForSlice(({ endpoints: list }) => list.length === 1)
    expect(slice.endpoints[0]?.conditions).toMatchObject({ ready: true, serving: false })
    expect(slice.metadata.labels).toHaveProperty(['service.kubernetes.io/headless'], '')
  })

  it('follows a pod that goes, and removes all with the service', async () => {
    await createService({})
    await createPod('a', '10.144.0.5')
    await waitForSlice(({ endpoints: list }) => list.length === 1)
    await kube.delete(pods, 'a', { namespace: 'default' })
    await waitForSlice(({ endpoints: list }) => list.length === 0)
    await kube.delete(services, 'web', { namespace: 'default' })
    await waitFor(slices, () => slices.list().length === 0 || undefined, { what: 'no slice', timeoutMs: 2000 })
    await expect.poll(() => kube.find(endpoints, 'web', 'default')).toBeUndefined()
  })

  it('leaves services without a selector to others', async () => {
    const foreign = { metadata: { name: 'web', namespace: 'default' }, subsets: [{ addresses: [{ ip: '192.0.2.1' }] }] }
    await kube.create(endpoints, foreign as never)
    await createService({ selector: {} })
    await createPod('a', '10.144.0.5')
    expect(slices.list()).toEqual([])
    expect((await kube.get(endpoints, 'web', 'default')).subsets).toEqual(foreign.subsets)
  })
})
