import {
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  type V1ConfigMap,
} from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defer, withDeadline } from '../../src/base/clock.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'

describe('the official client, unmodified, against the lab’s API server', () => {
  let api: TestApiServer
  let config: KubeConfig

  beforeAll(async () => {
    api = await startTestApiServer()
    config = new KubeConfig()
    config.loadFromFile(api.kubeconfig)
  })
  afterAll(() => api?.stop())

  const configMap = (name: string, data: Record<string, string>): V1ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data,
  })

  it('creates, reads, lists and deletes, and learns the reason of a refusal', async () => {
    const core = config.makeApiClient(CoreV1Api)
    await core.createNamespacedConfigMap({ namespace: 'default', body: configMap('typed', { a: '1' }) })
    const found = await core.readNamespacedConfigMap({ namespace: 'default', name: 'typed' })
    expect(found.data).toEqual({ a: '1' })
    expect(found.metadata?.creationTimestamp).toBeInstanceOf(Date)
    const list = await core.listNamespacedConfigMap({ namespace: 'default', labelSelector: 'none' })
    expect(list.items).toEqual([])
    await expect(
      core.createNamespacedConfigMap({ namespace: 'default', body: configMap('typed', {}) }),
    ).rejects.toMatchObject({ code: 409 })
    await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'typed' })
    await expect(core.readNamespacedConfigMap({ namespace: 'default', name: 'typed' })).rejects.toMatchObject({
      code: 404,
    })
  })

  it('applies on the server and discovers kinds by itself', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const apply = (data: Record<string, string>) =>
      objects.patch(configMap('applied', data), undefined, undefined, 'peer', undefined, PatchStrategy.ServerSideApply)
    await apply({ a: '1', b: '2' })
    expect(await apply({ b: '2' })).toMatchObject({ data: { b: '2' } })
  })

  it('follows changes with its informer', async () => {
    const core = config.makeApiClient(CoreV1Api)
    const informer = makeInformer(config, '/api/v1/namespaces/default/configmaps', () =>
      core.listNamespacedConfigMap({ namespace: 'default' }),
    )
    const seen: string[] = []
    const gone = defer()
    const note = (verb: string) => (object: V1ConfigMap) => {
      if (object.metadata?.name !== 'watched') return
      seen.push(verb)
      if (verb === 'delete') gone.resolve()
    }
    informer.on('add', note('add'))
    informer.on('update', note('update'))
    informer.on('delete', note('delete'))
    await informer.start()
    await core.createNamespacedConfigMap({ namespace: 'default', body: configMap('watched', {}) })
    await core.replaceNamespacedConfigMap({
      namespace: 'default',
      name: 'watched',
      body: configMap('watched', { a: '1' }),
    })
    await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'watched' })
    await withDeadline(gone.promise, { what: 'the deletion', timeoutMs: 10_000, detail: () => seen.join() })
    await informer.stop()
    expect(seen).toEqual(['add', 'update', 'delete'])
  })
})
