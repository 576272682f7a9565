import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../base/log.ts'
import { waitFor } from '../../base/observable.ts'
import { createFakeKube, type FakeKube } from '../../kube/fake.ts'
import { createInformer } from '../../kube/informer.ts'
import { events, nodes, type PodResource, pods } from '../../kube/resources/core.ts'
import { startScheduler } from './scheduler.ts'

let kube: FakeKube
let stop: AbortController
beforeEach(async () => {
  kube = createFakeKube()
  stop = new AbortController()
  kube.onRaw((_method, path, body) => {
    const name = path.split('/').at(-2) ?? ''
    const nodeName = (body as { target: { name: string } }).target.name
    void kube.patch(pods, name, { type: 'merge', body: { spec: { nodeName } } }, { namespace: 'default' })
    return {}
  })
  await startScheduler({ kube, log: silentLog }, stop.signal)
})
afterEach(() => stop.abort())

async function waitForPod<T>(name: string, look: (pod: PodResource) => T | undefined): Promise<T> {
  const informer = createInformer(kube, pods, { log: silentLog })
  await informer.start(stop.signal)
  const find = (): T | undefined => {
    const pod = informer.get(name, 'default')
    return pod && look(pod)
  }
  return waitFor(informer, find, { what: `pod ${name}`, timeoutMs: 2000 })
}

function createNode(name: string): Promise<unknown> {
  const status = { conditions: [{ type: 'Ready', status: 'True' }] }
  return kube.create(nodes, { metadata: { name, labels: { host: name } }, status } as never)
}

function createPod(name: string, spec: object = {}): Promise<unknown> {
  return kube.create(pods, { metadata: { name, namespace: 'default' }, spec: { containers: [], ...spec } } as never)
}

describe('startScheduler', () => {
  it('binds a pod and says so', async () => {
    await createNode('work01')
    await createPod('busybox3')
    await waitForPod('busybox3', (pod) => (pod.spec?.nodeName === 'work01' ? true : undefined))
    const { items } = await kube.list(events)
    expect(items[0]).toMatchObject({
      reason: 'Scheduled',
      message: 'Successfully assigned default/busybox3 to work01',
      source: { component: 'default-scheduler' },
    })
  })

  it('spreads pods that come at once', async () => {
    await Promise.all(['a', 'b', 'c'].map(createNode))
    await Promise.all(['1', '2', '3'].map((name) => createPod(name)))
    const places = await Promise.all(['1', '2', '3'].map((name) => waitForPod(name, (pod) => pod.spec?.nodeName)))
    expect(places.sort()).toEqual(['a', 'b', 'c'])
  })

  it('marks a pod that fits nowhere, and binds it when a node comes that it fits', async () => {
    await createNode('work01')
    await createPod('picky', { nodeSelector: { host: 'work02' } })
    const condition = await waitForPod('picky', (pod) =>
      pod.status?.conditions?.find(({ type }) => type === 'PodScheduled'),
    )
    expect(condition).toMatchObject({ status: 'False', reason: 'Unschedulable' })
    expect(condition.message).toContain("1 node(s) didn't match Pod's node affinity/selector")
    await createNode('work02')
    await waitForPod('picky', (pod) => (pod.spec?.nodeName === 'work02' ? true : undefined))
  })

  it('leaves pods of another scheduler alone', async () => {
    await createNode('work01')
    await createPod('other', { schedulerName: 'mine' })
    await createPod('ours')
    await waitForPod('ours', (pod) => pod.spec?.nodeName)
    expect((await kube.get(pods, 'other', 'default')).spec?.nodeName).toBeUndefined()
  })
})
