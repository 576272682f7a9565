import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { waitFor } from '../../src/base/observable.ts'
import { createKubeClient } from '../../src/kube/client.ts'
import type { KubeError } from '../../src/kube/errors.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { configMaps } from '../../src/kube/resources/core.ts'
import { installResources } from '../../src/lab/install-resources.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { describeKubeContract } from './kube.ts'

describeKubeContract('the Kubernetes client in front of the lab API server', async () => {
  const server = await startTestApiServer()
  const client = createKubeClient(await loadKubeConfig(server.kubeconfig))
  await installResources(client)
  return {
    client,
    stop: async () => {
      await client.close()
      await server.stop()
    },
  }
})

describe('an informer in front of the lab API server', () => {
  let server: TestApiServer
  beforeAll(async () => {
    server = await startTestApiServer()
  })
  afterAll(() => server?.stop())

  test('follows more objects than a page holds', async () => {
    const client = createKubeClient(await loadKubeConfig(server.kubeconfig))
    const stop = new AbortController()
    const names = Array.from({ length: 600 }, (_, index) => `many-${index}-${randomBytes(2).toString('hex')}`)
    await Promise.all(names.map((name) => client.create(configMaps, { metadata: { name, namespace: 'default' } })))
    const informer = createInformer(client, configMaps, { namespace: 'default', log: silentLog })
    await informer.start(stop.signal)
    expect(informer.list().length).toBeGreaterThanOrEqual(600)
    const [first = ''] = names
    await client.patch(configMaps, first, { type: 'merge', body: { data: { a: '1' } } }, { namespace: 'default' })
    await waitFor(informer, () => informer.get(first, 'default')?.data?.a, { what: 'the change', timeoutMs: 5000 })
    await client.delete(configMaps, first, { namespace: 'default' })
    const isGone = (): true | undefined => (informer.get(first, 'default') === undefined ? true : undefined)
    await waitFor(informer, isGone, { what: 'the deletion', timeoutMs: 5000 })
    stop.abort()
    await client.close()
  }, 30_000)

  test('a client without a certificate is told so', async () => {
    const { ca, server: url } = await loadKubeConfig(server.kubeconfig)
    const client = createKubeClient({ ca, server: url, namespace: 'default' })
    const error = await client.list(configMaps).catch((caught: unknown) => caught)
    expect((error as KubeError).statusCode).toBe(401)
    await client.close()
  })
})
