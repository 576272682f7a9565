import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../../../test/support/api-server.ts'
import { HttpsClient } from '../../../test/support/https-client.ts'
import { silentLog } from '../../base/log.ts'
import { startApiServer } from './api-server.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const configMap = (name: string, data: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
})

describe('the API server', () => {
  let api: TestApiServer
  let client: HttpsClient

  beforeAll(async () => {
    api = await startTestApiServer()
    client = new HttpsClient(api)
  })
  afterAll(async () => {
    client?.close()
    await api?.stop()
  })

  const revision = async () => (await client.call('GET', maps)).body.metadata.resourceVersion as string

  it('answers 401 to a client without a certificate of its CA', async () => {
    const stranger = new HttpsClient(api, { withCertificate: false })
    const { code, body } = await stranger.call('GET', '/api/v1/pods')
    stranger.close()
    expect([code, body.kind, body.reason]).toEqual([401, 'Status', 'Unauthorized'])
  })

  it('has the namespaces of every cluster and the service kubernetes with its endpoints from the start', async () => {
    const namespaces = (await client.call('GET', '/api/v1/namespaces')).body.items
    expect(namespaces.map((one: { metadata: { name: string } }) => one.metadata.name)).toEqual([
      'default',
      'kube-node-lease',
      'kube-public',
      'kube-system',
    ])
    const base = '/api/v1/namespaces/default'
    expect((await client.call('GET', `${base}/services/kubernetes`)).body.spec.clusterIP).toBe('10.96.0.1')
    expect((await client.call('GET', `${base}/endpoints/kubernetes`)).body.subsets[0]).toMatchObject({
      addresses: [{ ip: '192.168.122.10' }],
      ports: [{ port: 6443 }],
    })
  })

  it('makes up a name from generateName', async () => {
    const { code, body } = await client.call('POST', maps, configMap('', {}, { generateName: 'made-' }))
    expect(code).toBe(201)
    expect(body.metadata.name).toMatch(/^made-[a-z0-9]{5}$/)
  })

  it('refuses an update of an older version, and a deletion whose uid is another one', async () => {
    const first = (await client.call('POST', maps, configMap('swapped'))).body
    await client.call('PUT', `${maps}/swapped`, { ...first, data: { a: '1' } })
    const late = await client.call('PUT', `${maps}/swapped`, { ...first, data: { a: '2' } })
    expect([late.code, late.body.reason]).toEqual([409, 'Conflict'])
    const wrong = await client.call('DELETE', `${maps}/swapped`, { preconditions: { uid: 'other' } })
    expect([wrong.code, wrong.body.reason]).toEqual([409, 'Conflict'])
    expect((await client.call('DELETE', `${maps}/swapped`)).body.status).toBe('Success')
  })

  it('of two writers with one version lets exactly one win', async () => {
    const first = (await client.call('POST', maps, configMap('raced'))).body
    const writes = Array.from({ length: 10 }, (_, index) =>
      client.call('PUT', `${maps}/raced`, { ...first, data: { winner: String(index) } }),
    )
    const codes = (await Promise.all(writes)).map((answer) => answer.code).sort()
    expect(codes).toEqual([200, ...Array.from({ length: 9 }, () => 409)])
  })

  it('warns about unknown fields unless told otherwise, and refuses them when strict', async () => {
    const odd = { ...configMap('odd'), dta: {} }
    const warned = await client.call('POST', `${maps}?dryRun=All`, odd)
    expect([warned.code, warned.headers.warning]).toEqual([201, '299 - "unknown field \\"dta\\""'])
    const strict = await client.call('POST', `${maps}?fieldValidation=Strict`, odd)
    expect([strict.code, strict.body.message]).toEqual([
      400,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta"',
    ])
    const twice = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1","a":"2"}}'
    const duplicate = await client.call('POST', `${maps}?fieldValidation=Strict`, twice)
    expect(duplicate.body.message).toContain('strict decoding error: duplicate field "data.a"')
  })

  it('lists in pages that go on where the last one ended', async () => {
    const found: string[] = []
    let token = ''
    do {
      const { body } = await client.call('GET', `/api/v1/namespaces?limit=3&continue=${token}`)
      found.push(...body.items.map((one: { metadata: { name: string } }) => one.metadata.name))
      token = body.metadata.continue ?? ''
    } while (token !== '')
    expect(found).toEqual(['default', 'kube-node-lease', 'kube-public', 'kube-system'])
    expect((await client.call('GET', '/api/v1/namespaces?continue=nonsense')).code).toBe(400)
  })

  it('a watch continues from a version without a gap and sees objects enter and leave its selection', async () => {
    const from = await revision()
    const watch = await client.watch(`${maps}?watch=1&resourceVersion=${from}&labelSelector=on%3Dyes`)
    await client.call('POST', maps, configMap('seen', {}, { labels: { on: 'no' } }))
    const patch = (on: string) =>
      client.call(
        'PATCH',
        `${maps}/seen`,
        { metadata: { labels: { on } } },
        { 'content-type': 'application/merge-patch+json' },
      )
    await patch('yes')
    await client.call('PATCH', `${maps}/seen`, { data: { a: '1' } }, { 'content-type': 'application/merge-patch+json' })
    await patch('no')
    await watch.seen(3)
    watch.stop()
    expect(watch.events.map((event) => event.type)).toEqual(['ADDED', 'MODIFIED', 'DELETED'])
  })

  it('a watch without a version, or with sendInitialEvents, gives what is there first, the latter with a bookmark behind', async () => {
    const plain = await client.watch('/api/v1/namespaces?watch=true')
    await plain.seen(4)
    plain.stop()
    expect(plain.events.map((event) => event.type)).toEqual(['ADDED', 'ADDED', 'ADDED', 'ADDED'])
    const query = 'watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan'
    const listing = await client.watch(`/api/v1/namespaces?${query}`)
    await listing.seen(5)
    listing.stop()
    expect(listing.events[4]).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'Namespace', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    })
  })

  it('a watch ends at its time with a bookmark', async () => {
    const from = await revision()
    const watch = await client.watch(
      `${maps}?watch=1&resourceVersion=${from}&timeoutSeconds=1&allowWatchBookmarks=true`,
    )
    await watch.ended
    expect(watch.events).toHaveLength(1)
    expect(watch.events[0].type).toBe('BOOKMARK')
  })

  it('a watch from a version that has not been yet is told to list again', async () => {
    const watch = await client.watch(`${maps}?watch=1&resourceVersion=99999999`)
    await watch.ended
    expect(watch.events).toMatchObject([{ type: 'ERROR', object: { code: 410, reason: 'Expired' } }])
  })

  it('a watcher that does not read is cut off with 410 and holds nobody else up', async () => {
    const from = await revision()
    const slow = await client.watch(`${maps}?watch=1&resourceVersion=${from}`)
    slow.pause()
    const big = 'x'.repeat(500_000)
    for (let round = 0; round < 60; round++) {
      const type = { 'content-type': 'application/merge-patch+json' }
      if (round === 0) await client.call('POST', maps, configMap('big', { text: big }))
      else
        expect((await client.call('PATCH', `${maps}/big`, { data: { text: `${round}${big}` } }, type)).code).toBe(200)
    }
    slow.resume()
    await slow.ended
    expect(slow.events.length).toBeLessThan(60)
    expect(slow.events.at(-1)).toMatchObject({ type: 'ERROR', object: { code: 410 } })
    await client.call('DELETE', `${maps}/big`)
  }, 30_000)

  it('survives clients that send nonsense', async () => {
    const nonsense: [string, string, unknown, string][] = [
      ['POST', maps, '{"a":', 'application/json'],
      ['POST', maps, '[]', 'application/json'],
      ['POST', maps, 'null', 'application/json'],
      ['POST', maps, '{"metadata":[]}', 'application/json'],
      ['POST', maps, '{"metadata":{"name":5}}', 'application/json'],
      ['POST', maps, '{"metadata":{"name":"a","labels":[1]}}', 'application/json'],
      ['POST', maps, 'k8s', 'application/vnd.kubernetes.protobuf'],
      ['POST', maps, 'a: [', 'application/yaml'],
      ['PATCH', `${maps}/none`, '{}', 'application/merge-patch+json'],
      ['PATCH', `${maps}/none`, '5', 'application/json-patch+json'],
      [
        'POST',
        '/api/v1/namespaces/default/services',
        '{"metadata":{"name":"a"},"spec":{"ports":[null,5]}}',
        'application/json',
      ],
      [
        'POST',
        '/api/v1/namespaces/default/pods',
        '{"metadata":{"name":"a"},"spec":{"containers":[null]}}',
        'application/json',
      ],
      [
        'POST',
        '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
        '{"metadata":{"name":"a"},"spec":5}',
        'application/json',
      ],
      ['GET', '/%ff/%zz', undefined, ''],
      ['GET', `${maps}?labelSelector=((&fieldSelector=a`, undefined, ''],
      ['GET', '/api/v1/namespaces/default/pods/x/exec', undefined, ''],
      ['DELETE', '/api/v1', undefined, ''],
      ['BREW', maps, undefined, ''],
    ]
    for (const [method, path, body, type] of nonsense) {
      const answer = await client
        .call(method, path, body, type === '' ? {} : { 'content-type': type })
        .catch(() => undefined)
      expect(
        answer === undefined || (answer.code >= 400 && answer.code < 500),
        `${method} ${path} ${body}: ${answer?.code} ${JSON.stringify(answer?.body)}`,
      ).toBe(true)
    }
    await client.call('POST', maps, '{"metadata":{"name":"proto"},"data":{"__proto__":"x"},"__proto__":{"polluted":1}}')
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    expect((await client.call('GET', '/readyz')).body).toBe('ok')
  })

  it('survives connections that are cut, garbage before TLS, and upgrades that make no sense', async () => {
    const port = api.server.ports[0] as number
    const cut = connect(port, '127.0.0.1')
    cut.on('error', () => {})
    cut.write('GET / HTTP/1.1\r\n\r\n')
    const { ca, clientKey: key, clientCert: cert } = api.pki
    const head = 'host: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n'
    for (const text of [
      `GET /api/v1/namespaces/default/pods/none/exec HTTP/1.1\r\n${head}\r\n`,
      `GET /nope HTTP/1.1\r\n${head}\r\n`,
      'nonsense\r\n\r\n',
    ]) {
      const socket = connectTls({ port, host: '127.0.0.1', ca, key, cert })
      socket.on('error', () => {})
      socket.write(text)
      const answer = await new Promise<string>((resolve) => {
        let received = ''
        socket.on('data', (chunk) => {
          received += chunk.toString()
        })
        socket.on('close', () => resolve(received))
      })
      if (text.startsWith('GET')) expect(answer).toMatch(/^HTTP\/1\.1 404 /)
    }
    cut.destroy()
    expect((await client.call('GET', '/readyz')).body).toBe('ok')
  })

  it('refuses a body beyond its limit', async () => {
    const answer = await client
      .call('POST', maps, configMap('huge', { a: 'x'.repeat(9 * 1024 * 1024) }))
      .catch(() => undefined)
    expect([413, undefined]).toContain(answer?.code)
    expect((await client.call('GET', `${maps}/huge`)).code).toBe(404)
  })

  it('forms of Accept: metadata only, a table of one object, and JSON for who asks for protobuf', async () => {
    const partial = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
    const list = await client.call('GET', '/api/v1/namespaces', undefined, { accept: partial })
    expect(list.body.kind).toBe('PartialObjectMetadataList')
    expect(list.body.items[0].spec).toBeUndefined()
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
    const one = await client.call('GET', '/api/v1/namespaces/default', undefined, { accept: table })
    expect([one.body.kind, one.body.rows[0].cells.slice(0, 2)]).toEqual(['Table', ['default', 'Active']])
    const protobuf = await client.call('GET', '/version', undefined, { accept: 'application/vnd.kubernetes.protobuf' })
    expect(protobuf.headers['content-type']).toBe('application/json')
  })

  it('after a restart has every object and version, and tells old watchers to list again', async () => {
    await client.call('POST', maps, configMap('kept', { a: '1' }))
    const before = (await client.call('GET', `${maps}/kept`)).body
    const options = {
      dataFolder: join(api.folder, 'data'),
      tls: { key: api.pki.serverKey, cert: api.pki.serverCert, clientCa: api.pki.ca },
      listeners: [{ host: '127.0.0.1', port: 0 }],
      serviceCidr: '10.96.0.0/16',
      advertise: { host: '192.168.122.10', port: 6443 },
      kubeletSocket: () => undefined,
      log: silentLog,
    }
    await api.server.close()
    const started = performance.now()
    const server = await startApiServer(options)
    expect(performance.now() - started).toBeLessThan(1000)
    Object.assign(api, { server, url: `https://127.0.0.1:${server.ports[0]}` })
    expect((await client.call('GET', `${maps}/kept`)).body).toEqual(before)
    const watch = await client.watch(`${maps}?watch=1&resourceVersion=1`)
    await watch.ended
    expect(watch.events).toMatchObject([{ type: 'ERROR', object: { code: 410 } }])
  })
})
