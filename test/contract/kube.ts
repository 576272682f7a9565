import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KubeClient, WatchEvent } from '../../src/kube/api.ts'
import { isAlreadyExists, isConflict, isGone, isInvalid, isNotFound } from '../../src/kube/errors.ts'
import { type ConfigMapResource, configMaps, type PodResource, pods } from '../../src/kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../src/kube/resources/net-attach-def.ts'

export interface KubeUnderTest {
  readonly client: KubeClient
  /** Makes every resourceVersion up to now too old to watch from; absent where that cannot be done. */
  expireHistory?(): Promise<void>
  stop(): Promise<void>
}

const namespace = 'default'

/** What every KubeClient promises: run on the fake, and on the client in front of a real API server. */
export function describeKubeContract(title: string, start: () => Promise<KubeUnderTest>): void {
  describe(title, () => {
    let under: KubeUnderTest
    let client: KubeClient
    const run = randomBytes(3).toString('hex')
    const configMap = (name: string, extra: Partial<ConfigMapResource> = {}): ConfigMapResource => ({
      metadata: { name: `${name}-${run}`, namespace, labels: { run } },
      data: { key: 'one' },
      ...extra,
    })

    beforeAll(async () => {
      under = await start()
      client = under.client
    })
    afterAll(() => under?.stop())

    test('create fills in what the server knows, and get gives it back with kind and apiVersion', async () => {
      const created = await client.create(configMaps, configMap('created'))
      expect(created.metadata.uid).toMatch(/.+/)
      expect(created.metadata.resourceVersion).toMatch(/^\d+$/)
      expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
      const read = await client.get(configMaps, created.metadata.name, namespace)
      expect(read).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { key: 'one' } })
      expect(read.metadata.uid).toBe(created.metadata.uid)
    })

    test('create of a name that is taken is AlreadyExists, which is not a Conflict', async () => {
      await client.create(configMaps, configMap('taken'))
      const error = await client.create(configMaps, configMap('taken')).catch((caught: unknown) => caught)
      expect(isAlreadyExists(error)).toBe(true)
      expect(isConflict(error)).toBe(false)
    })

    test('generateName makes a fresh name', async () => {
      const object = { metadata: { generateName: 'made-', namespace, labels: { run } } } as unknown as ConfigMapResource
      const [first, second] = [await client.create(configMaps, object), await client.create(configMaps, object)]
      expect(first.metadata.name).toMatch(/^made-.{5}/)
      expect(first.metadata.name).not.toBe(second.metadata.name)
    })

    test('get of nothing is NotFound and names the object; find gives undefined; delete fails unless told not to', async () => {
      const error = await client.get(configMaps, 'nothing-here', namespace).catch((caught: unknown) => caught)
      expect(isNotFound(error)).toBe(true)
      expect((error as Error).message).toContain('nothing-here')
      expect(await client.find(configMaps, 'nothing-here', namespace)).toBeUndefined()
      await expect(client.delete(configMaps, 'nothing-here', { namespace })).rejects.toSatisfy(isNotFound)
      await client.delete(configMaps, 'nothing-here', { namespace, ignoreNotFound: true })
    })

    test('a namespaced kind without a namespace is refused', async () => {
      const outcome = (async () => client.get(configMaps, 'x'))()
      await expect(outcome).rejects.toSatisfy(isInvalid)
    })

    test('update with an old resourceVersion is a Conflict and changes nothing', async () => {
      const first = await client.create(configMaps, configMap('cas'))
      const second = await client.update(configMaps, { ...first, data: { key: 'two' } })
      expect(Number(second.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion))
      const stale = client.update(configMaps, { ...first, data: { key: 'three' } })
      await expect(stale).rejects.toSatisfy(isConflict)
      expect((await client.get(configMaps, first.metadata.name, namespace)).data).toEqual({ key: 'two' })
    })

    test('of many writers who compare and swap, none is lost', async () => {
      const name = (await client.create(configMaps, configMap('counter', { data: { n: '0' } }))).metadata.name
      const increment = async (): Promise<void> => {
        for (;;) {
          const read = await client.get(configMaps, name, namespace)
          try {
            await client.update(configMaps, { ...read, data: { n: String(Number(read.data?.n) + 1) } })
            return
          } catch (error) {
            if (!isConflict(error)) throw error
          }
        }
      }
      await Promise.all(Array.from({ length: 8 }, increment))
      expect((await client.get(configMaps, name, namespace)).data).toEqual({ n: '8' })
    })

    test('an update that trusts its object resolves with it and the new metadata, and loses no race', async () => {
      const created = await client.create(configMaps, configMap('trusted'))
      const written = await client.update(configMaps, { ...created, data: { key: 'two' } }, { trustsObject: true })
      expect(written).toEqual(await client.get(configMaps, written.metadata.name, namespace))
      expect(written.metadata.resourceVersion).not.toBe(created.metadata.resourceVersion)
      const stale = client.update(configMaps, { ...created, data: { key: 'three' } }, { trustsObject: true })
      await expect(stale).rejects.toSatisfy(isConflict)
    })

    test('an update that changes nothing keeps the resourceVersion', async () => {
      const created = await client.create(configMaps, configMap('same'))
      const updated = await client.update(configMaps, created)
      expect(updated.metadata.resourceVersion).toBe(created.metadata.resourceVersion)
    })

    test('a merge patch adds, changes and removes keys', async () => {
      const { name } = (await client.create(configMaps, configMap('merge', { data: { a: '1', b: '2' } }))).metadata
      const body = { data: { a: '9', b: null, c: '3' } }
      const patched = await client.patch(configMaps, name, { type: 'merge', body }, { namespace })
      expect(patched.data).toEqual({ a: '9', c: '3' })
    })

    test('a JSON patch tests and replaces; a failed test changes nothing', async () => {
      const { name } = (await client.create(configMaps, configMap('json'))).metadata
      const replace = (from: string, value: string) =>
        client.patch(
          configMaps,
          name,
          {
            type: 'json',
            operations: [
              { op: 'test', path: '/data/key', value: from },
              { op: 'replace', path: '/data/key', value },
            ],
          },
          { namespace },
        )
      expect((await replace('one', 'two')).data).toEqual({ key: 'two' })
      await expect(replace('one', 'three')).rejects.toSatisfy(isInvalid)
      expect((await client.get(configMaps, name, namespace)).data).toEqual({ key: 'two' })
    })

    test('apply creates and then merges', async () => {
      const name = `applied-${run}`
      const apply = (data: Record<string, string>) =>
        client.patch(
          configMaps,
          name,
          { type: 'apply', fieldManager: 'contract', force: true, body: { metadata: { labels: { run } }, data } },
          { namespace },
        )
      const created = await apply({ a: '1' })
      const changed = await apply({ a: '2' })
      expect(changed.metadata.uid).toBe(created.metadata.uid)
      expect(changed.data).toEqual({ a: '2' })
    })

    test('status is written by updateStatus only, and updateStatus writes nothing else', async () => {
      const pod: PodResource = {
        metadata: { name: `pod-${run}`, namespace, labels: { run } },
        spec: { nodeSelector: { none: 'such' }, containers: [{ name: 'c', image: 'busybox' }] },
      }
      const created = await client.create(pods, pod)
      const asStatus = await client.updateStatus(pods, {
        ...created,
        spec: { ...created.spec, nodeSelector: { sneaked: 'in' }, containers: created.spec?.containers ?? [] },
        status: { ...created.status, message: 'by status' },
      })
      expect(asStatus.status?.message).toBe('by status')
      expect(asStatus.spec?.nodeSelector).toEqual({ none: 'such' })
      const asMain = await client.update(pods, { ...asStatus, status: { message: 'by update' } })
      expect(asMain.status?.message).toBe('by status')
      const body = { status: { message: 'by patch' } }
      const patched = await client.patch(
        pods,
        pod.metadata.name,
        { type: 'merge', body },
        { namespace, subresource: 'status' },
      )
      expect(patched.status?.message).toBe('by patch')
      await client.delete(pods, pod.metadata.name, { namespace, gracePeriodSeconds: 0 })
    })

    test('a custom resource is an object like any other', async () => {
      const name = `nad-${run}`
      const object = { metadata: { name, namespace, labels: { run } }, spec: { config: '{"type":"x"}' } }
      const created = await client.create(networkAttachmentDefinitions, object)
      expect(created).toMatchObject({ apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition' })
      const again = await client.update(networkAttachmentDefinitions, { ...created, spec: { config: '{}' } })
      expect(again.metadata.generation).toBe(2)
      await client.delete(networkAttachmentDefinitions, name, { namespace })
    })

    test('a finalizer holds a deleted object until it is taken off', async () => {
      const created = await client.create(
        configMaps,
        configMap('held', { metadata: { name: `held-${run}`, namespace, finalizers: ['twinlane.io/test'] } }),
      )
      const { name } = created.metadata
      await client.delete(configMaps, name, { namespace })
      const held = await client.get(configMaps, name, namespace)
      expect(held.metadata.deletionTimestamp).toBeDefined()
      await client.update(configMaps, { ...held, metadata: { ...held.metadata, finalizers: [] } })
      expect(await client.find(configMaps, name, namespace)).toBeUndefined()
    })

    test('delete with the UID of a predecessor is a Conflict', async () => {
      const { name } = (await client.create(configMaps, configMap('reborn'))).metadata
      const preconditions = { uid: '00000000-0000-0000-0000-000000000000' }
      await expect(client.delete(configMaps, name, { namespace, preconditions })).rejects.toSatisfy(isConflict)
      expect(await client.find(configMaps, name, namespace)).toBeDefined()
    })

    test('list selects by label and field, and its items have kind and apiVersion', async () => {
      await client.create(
        configMaps,
        configMap('left', { metadata: { name: `left-${run}`, namespace, labels: { side: `left-${run}` } } }),
      )
      await client.create(
        configMaps,
        configMap('right', { metadata: { name: `right-${run}`, namespace, labels: { side: `right-${run}` } } }),
      )
      const byLabel = await client.list(configMaps, { namespace, labelSelector: `side in (left-${run}, other)` })
      expect(byLabel.items.map((item) => item.metadata.name)).toEqual([`left-${run}`])
      expect(byLabel.items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
      const byField = await client.list(configMaps, { fieldSelector: `metadata.name=right-${run}` })
      expect(byField.items.map((item) => item.metadata.name)).toEqual([`right-${run}`])
      expect(byField.metadata.resourceVersion).toMatch(/^\d+$/)
    })

    test('pages give every object of a list once', async () => {
      const names: string[] = []
      for await (const page of client.pages(configMaps, { namespace })) {
        names.push(...page.items.map((item) => item.metadata.name))
      }
      const all = await client.list(configMaps, { namespace })
      expect(names.sort()).toEqual(all.items.map((item) => item.metadata.name).sort())
    })

    test('watch from a list gives every later change in order, then ends with its signal', async () => {
      const label = `watched-${run}`
      const labelSelector = `watched=${label}`
      const { metadata } = await client.list(configMaps, { namespace, labelSelector })
      const stop = new AbortController()
      const events: string[] = []
      const watching = (async () => {
        for await (const event of client.watch(configMaps, {
          namespace,
          labelSelector,
          resourceVersion: metadata.resourceVersion,
          signal: stop.signal,
        })) {
          events.push(`${event.type} ${event.object.data?.key}`)
          if (event.type === 'DELETED') stop.abort()
        }
      })()
      const object = configMap('watched', {
        metadata: { name: `watched-${run}`, namespace, labels: { watched: label } },
      })
      const created = await client.create(configMaps, object)
      await client.create(configMaps, configMap('unwatched'))
      await client.update(configMaps, { ...created, data: { key: 'two' } })
      await client.delete(configMaps, created.metadata.name, { namespace })
      await watching
      expect(events).toEqual(['ADDED one', 'MODIFIED two', 'DELETED two'])
    })

    test('an object that leaves the selection of a watch is reported as deleted', async () => {
      const labelSelector = `in=${run}`
      const object = configMap('leaving', { metadata: { name: `leaving-${run}`, namespace, labels: { in: run } } })
      const created = await client.create(configMaps, object)
      const { metadata } = await client.list(configMaps, { namespace, labelSelector })
      const first = firstEvent(
        client.watch(configMaps, { namespace, labelSelector, resourceVersion: metadata.resourceVersion }),
      )
      await client.update(configMaps, { ...created, metadata: { ...created.metadata, labels: {} } })
      expect(await first).toMatchObject({ type: 'DELETED', object: { metadata: { name: `leaving-${run}` } } })
    })

    test('watch from a forgotten resourceVersion is Gone', async (context) => {
      if (under.expireHistory === undefined) return context.skip()
      const { metadata } = await client.list(configMaps, { namespace })
      await client.create(configMaps, configMap('later'))
      await under.expireHistory()
      const event = firstEvent(client.watch(configMaps, { namespace, resourceVersion: metadata.resourceVersion }))
      await expect(event).rejects.toSatisfy(isGone)
    })
  })
}

async function firstEvent<T>(watch: AsyncIterable<WatchEvent<T>>): Promise<WatchEvent<T> | undefined> {
  for await (const event of watch) return event
  return undefined
}
