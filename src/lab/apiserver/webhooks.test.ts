import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../../../test/support/api-server.ts'
import { HttpsClient } from '../../../test/support/https-client.ts'
import { textAt } from './json.ts'

const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
const maps = '/api/v1/namespaces/default/configmaps'
const map = (name: string, data: object = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })

let api: TestApiServer
let client: HttpsClient
let server: Server
let asked: Record<string, unknown>[] = []
let answer: object = { allowed: true }

beforeAll(async () => {
  api = await startTestApiServer()
  client = new HttpsClient(api)
  const { serverKey: key, serverCert: cert } = api.pki
  server = createServer({ key, cert }, async (request, response) => {
    const review = (await json(request)) as { request: Record<string, unknown> }
    asked.push(review.request)
    response.end(JSON.stringify({ response: { uid: review.request.uid, ...answer } }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(async () => {
  client.close()
  server.close()
  await api.stop()
})
afterEach(async () => {
  await client.call('DELETE', `${configurations}/test`)
  asked = []
  answer = { allowed: true }
})

function configuration(changes: object = {}): object {
  const webhook = {
    name: 'maps.test.io',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: {
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/validate`,
      caBundle: Buffer.from(api.pki.ca).toString('base64'),
    },
    rules: [
      { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE', 'UPDATE', 'DELETE'] },
    ],
    ...changes,
  }
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'test' },
    webhooks: [webhook],
  }
}

async function install(changes: object = {}): Promise<void> {
  expect((await client.call('POST', configurations, configuration(changes))).code).toBe(201)
}

it('refuses with 403 what a webhook denies, in the words of Kubernetes, and stores nothing', async () => {
  await install()
  answer = { allowed: false, status: { message: 'no such network' } }
  const { code, body } = await client.call('POST', maps, map('denied'))
  const message = 'admission webhook "maps.test.io" denied the request: no such network'
  expect([code, body.reason, body.message]).toEqual([403, 'Forbidden', message])
  expect((await client.call('GET', `${maps}/denied`)).code).toBe(404)
})

it('shows a webhook the new and the old object of create, update and delete', async () => {
  await install()
  await client.call('POST', maps, map('seen', { a: '1' }))
  await client.call('PUT', `${maps}/seen`, map('seen', { a: '2' }))
  await client.call('DELETE', `${maps}/seen`)
  const data = (one: Record<string, unknown>, key: string) => textAt(one[key], 'data', 'a')
  expect(asked.map((one) => [one.operation, data(one, 'object'), data(one, 'oldObject')])).toEqual([
    ['CREATE', '1', undefined],
    ['UPDATE', '2', '1'],
    ['DELETE', undefined, '2'],
  ])
  expect(asked[0]).toMatchObject({ namespace: 'default', name: 'seen', dryRun: false, kind: { kind: 'ConfigMap' } })
})

it('passes warnings on, and says that a dry run is one', async () => {
  await install()
  answer = { allowed: true, warnings: ['mind the gap'] }
  const { code, headers } = await client.call('POST', `${maps}?dryRun=All`, map('warned'))
  expect([code, headers.warning, asked[0]?.dryRun]).toEqual([201, '299 - "mind the gap"', true])
})

it('asks only for what rules and namespaceSelector name', async () => {
  await install({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-public' } } })
  await client.call('POST', maps, map('elsewhere'))
  await client.call('POST', '/api/v1/namespaces/kube-public/configmaps', map('here'))
  await client.call('POST', '/api/v1/namespaces/kube-public/secrets', { metadata: { name: 'here' } })
  expect(asked.map((one) => one.namespace)).toEqual(['kube-public'])
})

it('lets a write pass an unreachable webhook only with failurePolicy Ignore', async () => {
  const clientConfig = { url: 'https://127.0.0.1:1/validate' }
  await install({ clientConfig })
  const failed = await client.call('POST', maps, map('failing'))
  expect([failed.code, failed.body.message]).toEqual([500, expect.stringContaining('failed calling webhook "maps.')])
  await client.call('DELETE', `${configurations}/test`)
  await install({ clientConfig, failurePolicy: 'Ignore' })
  expect((await client.call('POST', maps, map('ignoring'))).code).toBe(201)
})

it('refuses a configuration that it cannot carry out', async () => {
  const service = { service: { name: 'x', namespace: 'default' } }
  const faults = { clientConfig: service, timeoutSeconds: 31, sideEffects: 'Some' }
  const { code, body } = await client.call('POST', configurations, configuration(faults))
  expect(code).toBe(422)
  for (const part of ['clientConfig.service', 'timeoutSeconds', 'sideEffects']) expect(body.message).toContain(part)
})
