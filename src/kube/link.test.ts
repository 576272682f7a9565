import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
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
import { type ClosableKubeClient, createKubeClient } from './client.ts'
import { isUnauthorized } from './errors.ts'
import { createInformer } from './informer.ts'
import { loadKubeConfig } from './kubeconfig.ts'
import { configMaps } from './resources/core.ts'

let folder: string
let server: ScriptedKubeServer
let client: ClosableKubeClient
/** The only token that the server takes. */
let valid: string
let watchedAs: (string | undefined)[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credentials-'))
  valid = 'one'
  watchedAs = []
  const watched: Answer = (response, url, request) => {
    watchedAs.push(request.headers.authorization)
    watchOf([change('MODIFIED', 'a', request.headers.authorization ?? '', 5)], 'open')(response, url, request)
  }
  const list = guarded(listOf(1, { a: 'first' }))
  server = await startScriptedKubeServer({
    lists: [list],
    watches: [guarded(watched)],
    other: guarded(json(201, { metadata: { name: 'new' } })),
  })
})

afterEach(async () => {
  await client?.close()
  await server.close()
  await rm(folder, { recursive: true })
})

function guarded(answer: Answer): Answer {
  return (response, url, request) => {
    const isValid = request.headers.authorization === `Bearer ${valid}`
    return (isValid ? answer : json(401, { message: 'Unauthorized' }))(response, url, request)
  }
}

async function replace(name: string, text: string): Promise<void> {
  await writeFile(join(folder, `${name}.new`), text)
  await rename(join(folder, `${name}.new`), join(folder, name))
}

async function open(user: object): Promise<void> {
  await writeConfig(user)
  const reload = () => loadKubeConfig(join(folder, 'config'))
  client = createKubeClient(await reload(), { reload })
}

function writeConfig(user: object): Promise<void> {
  const config = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: server.config.server } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  }
  return replace('config', JSON.stringify(config))
}

test('a request refused with 401 is sent again with the new token, a write too', async () => {
  await replace('token', 'one')
  await open({ tokenFile: 'token' })
  await client.list(configMaps)
  await replace('token', 'two')
  valid = 'two'
  await client.create(configMaps, { metadata: { name: 'new', namespace: 'default' } })
})

test('a watch comes back with the new token when its file changes, and nothing is lost', async () => {
  await replace('token', 'one')
  await open({ tokenFile: 'token' })
  const stop = new AbortController()
  const informer = createInformer(client, configMaps, { log: silentLog })
  await informer.start(stop.signal)
  await vi.waitFor(() => expect(informer.get('a', 'default')?.data).toEqual({ value: 'Bearer one' }))
  valid = 'two'
  await replace('token', 'two')
  await vi.waitFor(() => expect(informer.get('a', 'default')?.data).toEqual({ value: 'Bearer two' }), 5000)
  expect(watchedAs).toEqual(['Bearer one', 'Bearer two'])
  stop.abort()
})

test('a kubeconfig with another user serves the next request', async () => {
  await open({ token: 'one' })
  await client.list(configMaps)
  valid = 'two'
  await writeConfig({ token: 'two' })
  await client.list(configMaps)
})

test('credentials that nobody has renewed are refused after one try, also while the kubeconfig is half written', async () => {
  await open({ token: 'one' })
  valid = 'two'
  expect(isUnauthorized(await client.list(configMaps).catch((error: unknown) => error))).toBe(true)
  expect(server.requests).toHaveLength(1)
  await replace('config', '{"current')
  expect(isUnauthorized(await client.list(configMaps).catch((error: unknown) => error))).toBe(true)
})
