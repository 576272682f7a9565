import { describe, expect, test } from 'vitest'
import { silentLog } from '../base/log.ts'
import { KubeError } from './errors.ts'
import { createEventRecorder } from './events.ts'
import { createFakeKube } from './fake.ts'
import { events } from './resources/core.ts'

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'busybox3', namespace: 'default', uid: 'u1' } }

function record(options: { queueLimit?: number } = {}) {
  const kube = createFakeKube()
  const recorder = createEventRecorder(kube, { component: 'twinlane', host: 'work01', log: silentLog, ...options })
  const written = async () => (await kube.list(events)).items
  return { kube, recorder, written }
}

describe('an event recorder', () => {
  test('writes an Event about the object, in its namespace', async () => {
    const { recorder, written } = record()
    recorder.event(pod, 'Normal', 'AddedInterface', 'Add eth0 [10.244.0.1/32] from k8s-pod-network')
    await recorder.flush()
    const [event] = await written()
    expect(event).toMatchObject({
      metadata: { namespace: 'default' },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'busybox3', namespace: 'default', uid: 'u1' },
      type: 'Normal',
      reason: 'AddedInterface',
      source: { component: 'twinlane', host: 'work01' },
      count: 1,
    })
    expect(event?.lastTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  })

  test('names events in the order of time, so that a list shows them in it', async () => {
    const { recorder, written } = record()
    const messages = Array.from({ length: 20 }, (_, index) => `message ${index}`)
    for (const message of messages) recorder.event(pod, 'Normal', 'X', message)
    await recorder.flush()
    const byName = (await written()).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    expect(byName.map((event) => event.message)).toEqual(messages)
  })

  test('counts equal events in one object', async () => {
    const { recorder, written } = record()
    recorder.event(pod, 'Warning', 'Failed', 'no')
    await recorder.flush()
    recorder.event(pod, 'Warning', 'Failed', 'no')
    recorder.event(pod, 'Warning', 'Failed', 'no')
    recorder.event(pod, 'Warning', 'Failed', 'other')
    await recorder.flush()
    expect((await written()).map((event) => [event.message, event.count])).toEqual([
      ['no', 3],
      ['other', 1],
    ])
  })

  test('writes the event anew when the one it counts on has expired', async () => {
    const { kube, recorder, written } = record()
    recorder.event(pod, 'Warning', 'Failed', 'no')
    await recorder.flush()
    const [first] = await written()
    await kube.delete(events, first?.metadata.name ?? '', { namespace: 'default' })
    recorder.event(pod, 'Warning', 'Failed', 'no')
    await recorder.flush()
    expect((await written()).map((event) => event.count)).toEqual([2])
  })

  test('an event about a cluster-scoped object goes to the namespace default', async () => {
    const { recorder, written } = record()
    recorder.event({ kind: 'Node', metadata: { name: 'work01' } }, 'Warning', 'X', 'y')
    await recorder.flush()
    const [event] = await written()
    expect(event?.metadata.namespace).toBe('default')
    expect(event?.involvedObject).toEqual({ kind: 'Node', name: 'work01' })
  })

  test('a server that is away for a moment loses nothing, and the caller is not held up', async () => {
    const { kube, recorder, written } = record()
    let refusals = 2
    kube.intercept((request) => {
      if (request.verb === 'create' && refusals-- > 0) throw new KubeError('away', { statusCode: 0 })
    })
    recorder.event(pod, 'Normal', 'X', 'y')
    await recorder.flush()
    expect(await written()).toHaveLength(1)
  })

  test('a full queue drops the oldest', async () => {
    const { recorder, written } = record({ queueLimit: 2 })
    for (const message of ['1', '2', '3', '4']) recorder.event(pod, 'Normal', 'X', message)
    await recorder.flush()
    const messages = (await written()).map((event) => event.message)
    expect(messages).toContain('4')
    expect(messages.length).toBeLessThan(4)
  })

  test('an event that the server refuses is dropped and the next is written', async () => {
    const { kube, recorder, written } = record()
    let isFirst = true
    kube.intercept((request) => {
      if (request.verb !== 'create' || !isFirst) return
      isFirst = false
      throw new KubeError('no', { statusCode: 403 })
    })
    recorder.event(pod, 'Normal', 'X', '1')
    recorder.event(pod, 'Normal', 'X', '2')
    await recorder.flush()
    expect((await written()).map((event) => event.message)).toEqual(['2'])
  })
})
