import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { exec } from '../../base/exec.ts'
import { createLog } from '../../base/log.ts'
import { createFakeKube } from '../../kube/fake.ts'
import { createInformer } from '../../kube/informer.ts'
import { networkAttachmentDefinitions } from '../../kube/resources/net-attach-def.ts'
import { drivers } from '../../networks/registry.ts'
import { type IPPool, ipPools } from '../../networks/routed/resources.ts'
import { type AdmissionServer, createAdmissionServer } from './admission-server.ts'

const stop = new AbortController()
const log = createLog({ name: 'test', level: 'error' })
const kube = createFakeKube()
let folder: string
let server: AdmissionServer

async function makeCertificate(name: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  await exec('openssl', ['req', '-x509', ...key, ...names, '-keyout', 'tls.key', '-out', 'tls.crt'], { cwd: folder })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'admission-'))
  await makeCertificate('first')
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') }
  const definitions = createInformer(kube, networkAttachmentDefinitions, { log })
  server = createAdmissionServer({ host: '127.0.0.1', port: 0, ...files }, { definitions, drivers, kube, log })
  await server.start(stop.signal)
  await kube.create(networkAttachmentDefinitions, {
    metadata: { name: 'net', namespace: 'default' },
    spec: { config: '{"cniVersion": "1.0.0", "type": "ovn-k8s-cni-overlay"}' },
  })
})
afterAll(async () => {
  stop.abort()
  await server.stop()
  await rm(folder, { recursive: true })
})

async function post(body: unknown, path = '/validate'): Promise<{ code: number; body: Record<string, unknown> }> {
  const ca = await readFile(join(folder, 'tls.crt'))
  const options = { host: '127.0.0.1', port: server.port, path, method: 'POST', ca, agent: false }
  const answer = await new Promise<{ code: number; body: string }>((resolve, reject) => {
    const sent = request(options, (response) => {
      text(response).then((all) => resolve({ code: response.statusCode ?? 0, body: all }), reject)
    })
    sent.on('error', reject).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  return { code: answer.code, body: JSON.parse(answer.body) as Record<string, unknown> }
}

function review(object: object, oldObject?: object): object {
  const request = {
    uid: 'u1',
    operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
    namespace: 'default',
    object,
    oldObject,
  }
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }
}

function pod(networks: string, labels = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', labels, annotations: { 'k8s.v1.cni.cncf.io/networks': networks } },
  }
}

test('a good pod is allowed, without warnings', async () => {
  expect(await post(review(pod('net@eth1')))).toEqual({
    code: 200,
    body: { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: 'u1', allowed: true } },
  })
})

test('a bad pod is denied with place, reason, fix and rule', async () => {
  const { response } = (await post(review(pod('net@lo')))).body as { response: { allowed: boolean; status: object } }
  expect(response).toMatchObject({ allowed: false, status: { code: 422 } })
  expect(JSON.stringify(response)).toMatch(/networks, line 1, column 1: .*loopback.*fix: .*\[annotation\]/)
})

test('a bad definition is denied, with the place inside its configuration', async () => {
  const definition = { kind: 'NetworkAttachmentDefinition', metadata: { name: 'x' }, spec: { config: '{\n"type": }' } }
  expect(JSON.stringify((await post(review(definition))).body)).toMatch(
    /"allowed":false.*spec\.config, line 2, column 9/,
  )
})

test('a warning is returned beside the allow', async () => {
  const { body } = await post(review(pod('[{"name": "net", "ipRequest": "10.0.0.1"}]')))
  expect(JSON.stringify(body)).toMatch(/"allowed":true,"warnings":\[.*ipRequest/)
})

test('a network that does not exist is refused only after the API server was asked', async () => {
  expect(JSON.stringify((await post(review(pod('none')))).body)).toContain('unknown-network')
})

test("a pod's update is not judged when its networks stay as they are", async () => {
  const { body } = await post(review(pod('none', { a: 'b' }), pod('none')))
  expect(body).toMatchObject({ response: { allowed: true } })
})

test('what is no review is an error, never an allow', async () => {
  expect((await post('{"kind"')).code).toBe(500)
  expect((await post({ kind: 'AdmissionReview' })).code).toBe(500)
  expect((await post({}, '/other')).code).toBe(404)
  expect((await post({}, '/readyz')).code).toBe(200)
})

test('a new certificate is used without a restart', async () => {
  await makeCertificate('second')
  await vi.waitFor(async () => expect(await subjectOf()).toBe('second'))
})

function subjectOf(): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

const pool = (name: string, cidr: string, more: object = {}): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name },
  spec: { cidr, ...more },
})

async function verdict(...objects: Parameters<typeof review>): Promise<unknown> {
  return (await post(review(...objects))).body.response
}

test("a network's own kind is judged by its own rules: beside others, and as a change", async () => {
  await kube.create(ipPools, pool('first', '10.7.0.0/16') as IPPool)
  expect(await verdict(pool('good', '10.8.0.0/16'))).toEqual({ uid: 'u1', allowed: true })
  expect(await verdict(pool('bad', '10.7.9.0/24', { nodeSelector: 'global()' }))).toMatchObject({
    allowed: false,
    status: {
      code: 422,
      message:
        'spec.cidr: 10.7.9.0/24 overlaps 10.7.0.0/16 of IPPool first; spec.nodeSelector: global() selects neither nodes nor namespaces',
    },
  })
  const changed = [pool('first', '10.7.0.0/17'), pool('first', '10.7.0.0/16')] as const
  expect(await verdict(...changed)).toMatchObject({
    allowed: false,
    status: { message: expect.stringContaining('cannot be changed') },
  })
})

test('a pool that is there in spite of the rules may be written as it is, for its status and finalizers', async () => {
  const there = pool('there', '10.7.9.0/24')
  expect(await verdict(there, there)).toEqual({ uid: 'u1', allowed: true })
})
