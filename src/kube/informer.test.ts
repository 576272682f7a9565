import { afterEach, describe, expect, test } from 'vitest'
import {
  type Answer,
  change,
  json,
  listOf,
  type ScriptedKubeServer,
  startScriptedKubeServer,
  watchOf,
} from '../../test/support/scripted-kube-server.ts'
import { silentLog } from '../base/log.ts'
import { waitFor } from '../base/observable.ts'
import type { Informer, InformerEvent } from './api.ts'
import { createKubeClient } from './client.ts'
import { createFakeKube } from './fake.ts'
import { createInformer } from './informer.ts'
import { type ConfigMapResource, configMaps } from './resources/core.ts'

const stops: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

interface Followed {
  server: ScriptedKubeServer
  informer: Informer<ConfigMapResource>
  events: string[]
  dataOf(name: string): string | undefined
  becomes(name: string, value: string | undefined): Promise<unknown>
}

async function follow(script: { lists: Answer[]; watches: Answer[] }, streamIdleTimeoutMs = 60_000): Promise<Followed> {
  const server = await startScriptedKubeServer(script)
  const client = createKubeClient(server.config, { streamIdleTimeoutMs, attempts: 1 })
  const informer = createInformer(client, configMaps, { log: silentLog })
  const abort = new AbortController()
  stops.push(
    () => abort.abort(),
    () => client.close(),
    () => server.close(),
  )
  const events: string[] = []
  informer.on((event) => events.push(describeEvent(event)))
  await informer.start(abort.signal)
  const dataOf = (name: string): string | undefined => informer.get(name, 'default')?.data?.value
  const becomes = (name: string, value: string | undefined): Promise<unknown> =>
    waitFor(informer, () => dataOf(name) === value || undefined, { what: `${name} = ${value}`, timeoutMs: 5000 })
  return { server, informer, events, dataOf, becomes }
}

function describeEvent(event: InformerEvent<ConfigMapResource>): string {
  return `${event.type} ${event.object.metadata.name}=${event.object.data?.value}`
}

const resourceVersions = (urls: URL[]): (string | null)[] => urls.map((url) => url.searchParams.get('resourceVersion'))

describe('an informer', () => {
  test('starts with a full list, read in pages, and then follows changes', async () => {
    const followed = await follow({
      lists: [listOf(5, { a: '1' }, 'next'), listOf(5, { b: '1' })],
      watches: [
        watchOf(
          [change('ADDED', 'c', '1', 6), change('MODIFIED', 'a', '2', 7), change('DELETED', 'b', '1', 8)],
          'open',
        ),
      ],
    })
    expect(followed.informer.hasSynced).toBe(true)
    await followed.becomes('b', undefined)
    expect(followed.events).toEqual(['added a=1', 'added b=1', 'added c=1', 'updated a=2', 'deleted b=1'])
    expect(followed.informer.list().map((object) => object.metadata.name)).toEqual(['a', 'c'])
    expect(followed.server.lists.map((url) => url.search)).toEqual(['?limit=500', '?limit=500&continue=next'])
  })

  test('asks for bookmarks and for a watch of five to ten minutes, from where the list ended', async () => {
    const followed = await follow({
      lists: [listOf(5, {})],
      watches: [watchOf([change('ADDED', 'a', '1', 6)], 'open')],
    })
    await followed.becomes('a', '1')
    const query = followed.server.watches[0]?.searchParams
    expect(query?.get('allowWatchBookmarks')).toBe('true')
    expect(query?.get('resourceVersion')).toBe('5')
    expect(Number(query?.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300)
    expect(Number(query?.get('timeoutSeconds'))).toBeLessThanOrEqual(600)
  })

  test('goes on from the last change after a clean end', async () => {
    const followed = await follow({
      lists: [listOf(5, {})],
      watches: [watchOf([change('ADDED', 'a', '1', 6)], 'end'), watchOf([change('MODIFIED', 'a', '2', 7)], 'open')],
    })
    await followed.becomes('a', '2')
    expect(resourceVersions(followed.server.watches)).toEqual(['5', '6'])
    expect(followed.server.lists).toHaveLength(1)
  })

  test('goes on from the last change after a reset connection', async () => {
    const followed = await follow({
      lists: [listOf(5, {})],
      watches: [watchOf([change('ADDED', 'a', '1', 6)], 'reset'), watchOf([change('MODIFIED', 'a', '2', 7)], 'open')],
    })
    await followed.becomes('a', '2')
    expect(resourceVersions(followed.server.watches)).toEqual(['5', '6'])
    expect(followed.server.lists).toHaveLength(1)
  })

  test('goes on after HTTP 500, at the list and at the watch', async () => {
    const broken = json(500, { kind: 'Status', message: 'etcd is away', code: 500 })
    const followed = await follow({
      lists: [broken, listOf(5, {})],
      watches: [broken, broken, watchOf([change('ADDED', 'a', '1', 6)], 'open')],
    })
    await followed.becomes('a', '1')
    expect(resourceVersions(followed.server.watches)).toEqual(['5', '5', '5'])
    expect(followed.server.lists).toHaveLength(2)
  })

  test('lists again after a 410 event and reports only what differs', async () => {
    const expired = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } }
    const followed = await follow({
      lists: [listOf(5, { same: '1', changes: '1', goes: '1' }), listOf(9, { changes: '2', comes: '1' })],
      watches: [watchOf([expired], 'end'), watchOf([change('ADDED', 'after', '1', 10)], 'open')],
    })
    await followed.becomes('after', '1')
    expect(followed.events.slice(3)).toEqual([
      'deleted same=1',
      'deleted goes=1',
      'updated changes=2',
      'added comes=1',
      'added after=1',
    ])
    expect(resourceVersions(followed.server.watches)).toEqual(['5', '9'])
  })

  test('lists again after an HTTP 410', async () => {
    const gone = json(410, { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' })
    const followed = await follow({
      lists: [listOf(5, {}), listOf(9, { a: '1' })],
      watches: [gone, watchOf([], 'open')],
    })
    await followed.becomes('a', '1')
    expect(followed.server.lists).toHaveLength(2)
  })

  test('a bookmark moves the place to go on from and changes nothing else', async () => {
    const bookmark = { type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: '50' } } }
    const followed = await follow({
      lists: [listOf(5, {})],
      watches: [watchOf([bookmark], 'end'), watchOf([change('ADDED', 'a', '1', 51)], 'open')],
    })
    await followed.becomes('a', '1')
    expect(resourceVersions(followed.server.watches)).toEqual(['5', '50'])
    expect(followed.events).toEqual(['added a=1'])
  })

  test('goes on from the last change after a line that is not JSON', async () => {
    const followed = await follow({
      lists: [listOf(5, {})],
      watches: [
        watchOf([change('ADDED', 'a', '1', 6), '{"type":"MODIFIED","obj'], 'end'),
        watchOf([change('MODIFIED', 'a', '2', 7)], 'open'),
      ],
    })
    await followed.becomes('a', '2')
    expect(resourceVersions(followed.server.watches)).toEqual(['5', '6'])
  })

  test('takes a server that hangs for dead and connects anew', async () => {
    const followed = await follow(
      { lists: [listOf(5, {})], watches: [watchOf([], 'open'), watchOf([change('ADDED', 'a', '1', 6)], 'open')] },
      // undici looks at its timers once a second.
      500,
    )
    await followed.becomes('a', '1')
    expect(resourceVersions(followed.server.watches).slice(0, 2)).toEqual(['5', '5'])
  })

  test('does not turn a server that ends every watch at once into a busy loop', async () => {
    const followed = await follow({ lists: [listOf(5, {})], watches: [watchOf([], 'end')] })
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(followed.server.watches.length).toBeGreaterThan(1)
    expect(followed.server.watches.length).toBeLessThan(10)
  })

  test('keeps of each object what the transform keeps', async () => {
    const kube = createFakeKube()
    kube.seed(configMaps, { metadata: { name: 'a', namespace: 'default' }, data: { value: '1', large: 'x' } })
    const informer = createInformer(kube, configMaps, {
      log: silentLog,
      transform: (object) => ({ ...object, data: { value: object.data?.value ?? '' } }),
    })
    const abort = new AbortController()
    stops.push(() => abort.abort())
    await informer.start(abort.signal)
    expect(informer.get('a', 'default')?.data).toEqual({ value: '1' })
  })

  test('start rejects when its signal aborts before there is a list', async () => {
    const kube = createFakeKube()
    kube.intercept(() => {
      throw new Error('away')
    })
    const abort = new AbortController()
    const started = createInformer(kube, configMaps, { log: silentLog }).start(abort.signal)
    abort.abort()
    await expect(started).rejects.toThrow()
  })
})
