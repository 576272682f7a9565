import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { type ClosableKubeClient, createKubeClient } from '../../src/kube/client.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { configMaps } from '../../src/kube/resources/core.ts'
import { type ApiServer, startApiServer } from '../../src/lab/apiserver/api-server.ts'
import { createTestPki, type TestPki } from '../support/api-server.ts'

/** Two generations of everything: of the authority, of the server's certificate and of ours. */
let folder: string
let old: TestPki
let next: TestPki
let server: ApiServer
let client: ClosableKubeClient
const stop = new AbortController()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rotation-'))
  const generations = ['old', 'next'].map(async (name) => {
    await mkdir(join(folder, name))
    return await createTestPki(join(folder, name))
  })
  ;[old, next] = (await Promise.all(generations)) as [TestPki, TestPki]
})
afterEach(async () => {
  stop.abort()
  await client?.close()
  await server?.close()
  await rm(folder, { recursive: true, force: true })
})

/** Starts it, or starts it again at the same port, as after a change of its certificates. */
async function serve(pki: TestPki, trusted: readonly TestPki[]): Promise<void> {
  const port = server?.ports[0] ?? 0
  await server?.close()
  server = await startApiServer({
    dataFolder: join(folder, 'data'),
    tls: { key: pki.serverKey, cert: pki.serverCert, clientCa: trusted.map(({ ca }) => ca).join('') },
    listeners: [{ host: '127.0.0.1', port }],
    serviceCidr: '10.96.0.0/16',
    advertise: { host: '192.168.122.10', port: 6443 },
    kubeletSocket: () => undefined,
    log: silentLog,
  })
}

async function replace(name: string, text: string): Promise<void> {
  await writeFile(join(folder, `${name}.tmp`), text)
  await rename(join(folder, `${name}.tmp`), join(folder, name))
}

async function writeConfig(): Promise<void> {
  const cluster = { server: `https://127.0.0.1:${server.ports[0]}`, 'certificate-authority': 'ca.crt' }
  const user = { 'client-certificate': 'client.crt', 'client-key': 'client.key' }
  await replace(
    'config',
    JSON.stringify({
      'current-context': 'c',
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  )
}

test('a client with its watch lives through a new authority, a new certificate of the server and a new one of its own', async () => {
  await serve(old, [old])
  await replace('ca.crt', old.ca)
  await replace('client.crt', old.clientCert)
  await replace('client.key', old.clientKey)
  await writeConfig()
  let reloads = 0
  const reload = async () => {
    const config = await loadKubeConfig(join(folder, 'config'))
    reloads++
    return config
  }
  client = createKubeClient(await reload(), { reload })
  const informer = createInformer(client, configMaps, { log: silentLog })
  await informer.start(stop.signal)

  let count = 0
  /** A write is taken, and the watch tells of it. */
  const expectServed = async (): Promise<void> => {
    const name = `after-${++count}`
    await vi.waitFor(() => client.create(configMaps, { metadata: { name, namespace: 'default' } }), 10_000)
    await vi.waitFor(() => expect(informer.get(name, 'default')).toBeDefined(), 10_000)
  }
  await expectServed()

  await replace('ca.crt', old.ca + next.ca)
  await expectServed()
  await serve(next, [old, next])
  await expectServed()
  // Two files change one after the other: in between they do not belong together, and what was valid serves on.
  const before = reloads
  await replace('client.crt', next.clientCert)
  await vi.waitFor(() => expect(reloads).toBeGreaterThan(before), 10_000)
  await serve(next, [old, next])
  await expectServed()
  await replace('client.key', next.clientKey)
  await expectServed()
  await serve(next, [next])
  await expectServed()
  await replace('ca.crt', next.ca)
  await expectServed()
}, 60_000)
