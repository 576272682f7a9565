import { afterEach, describe, expect, test } from 'vitest'
import {
  type Answer,
  json,
  listOf,
  type ScriptedKubeServer,
  startScriptedKubeServer,
} from '../../test/support/scripted-kube-server.ts'
import { type ClosableKubeClient, createKubeClient } from './client.ts'
import { isConflict, isGone, isUnreachable, type KubeError } from './errors.ts'
import { configMaps, nodes } from './resources/core.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function serve(
  lists: Answer[],
  other?: Answer,
): Promise<{ server: ScriptedKubeServer; client: ClosableKubeClient }> {
  const server = await startScriptedKubeServer({ lists, watches: [], ...(other === undefined ? {} : { other }) })
  const client = createKubeClient({ ...server.config, token: 'secret' }, { requestTimeoutMs: 1000 })
  stops.push(
    () => client.close(),
    () => server.close(),
  )
  return { server, client }
}

const conflict = { kind: 'Status', reason: 'Conflict', code: 409, message: 'the object has been modified' }

describe('the Kubernetes client', () => {
  test('an error names the request and what the server said', async () => {
    const { client } = await serve([], json(409, conflict))
    const object = { metadata: { name: 'a b', namespace: 'default', resourceVersion: '1' } }
    const error = await client.update(configMaps, object).catch((caught: unknown) => caught)
    expect(isConflict(error)).toBe(true)
    expect((error as KubeError).message).toBe(
      'PUT /api/v1/namespaces/default/configmaps/a%20b: the object has been modified',
    )
  })

  test('a plain text answer of a proxy becomes the message', async () => {
    const { client } = await serve([(response) => response.writeHead(404).end('no such host')])
    const error = await client.get(nodes, 'x').catch((caught: unknown) => caught)
    expect((error as KubeError).message).toBe('GET /api/v1/nodes/x: no such host')
    expect((error as KubeError).reason).toBe('NotFound')
  })

  test('the server’s address may have a path, as behind a proxy for many clusters', async () => {
    const { server } = await serve([json(200, { metadata: { name: 'x' } })])
    const client = createKubeClient({ ...server.config, server: `${server.config.server}/k8s/clusters/c-1` })
    stops.push(() => client.close())
    await client.get(nodes, 'x')
    expect(server.requests).toEqual(['GET /k8s/clusters/c-1/api/v1/nodes/x'])
  })

  test('a request that waits for a connection until its deadline is never sent', async () => {
    const held: (() => void)[] = []
    const { server, client } = await serve([], (response) => {
      held.push(() => response.end('{}'))
    })
    const all = Array.from({ length: 7 }, () => client.create(nodes, { metadata: { name: 'x' } }))
    const outcomes = await Promise.allSettled(all)
    expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 7 }, () => 'rejected'))
    for (const answer of held) answer()
    expect(server.requests).toHaveLength(6)
  })

  test('a read is tried again after 429 and 503', async () => {
    const { server, client } = await serve([json(429, {}), json(503, {}), json(200, { metadata: { name: 'x' } })])
    expect((await client.get(nodes, 'x')).metadata.name).toBe('x')
    expect(server.requests).toHaveLength(3)
  })

  test('a server that is busy is left alone for as long as it asks, also by a write, which it has not begun', async () => {
    const times: number[] = []
    const { client } = await serve([], (response) => {
      times.push(performance.now())
      if (times.length > 1) response.end('{}')
      else response.writeHead(429, { 'retry-after': '0.3' }).end('{}')
    })
    await client.create(nodes, { metadata: { name: 'x' } })
    expect(times).toHaveLength(2)
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(295)
  })

  test('a server that asks for more patience than there is gets none', async () => {
    const { server, client } = await serve([], (response) => {
      response.writeHead(429, { 'retry-after': '5' }).end('{}')
    })
    await expect(client.create(nodes, { metadata: { name: 'x' } })).rejects.toThrow('POST /api/v1/nodes')
    expect(server.requests).toHaveLength(1)
  })

  test('a write that may have been done is never repeated', async () => {
    const { server, client } = await serve([], json(503, {}))
    await expect(client.create(nodes, { metadata: { name: 'x' } })).rejects.toThrow('POST /api/v1/nodes')
    expect(server.requests).toEqual(['POST /api/v1/nodes'])
  })

  test('connections are used again after a DELETE with a body', async () => {
    const ports = new Set<number | undefined>()
    const { client } = await serve([], (response, _url, request) => {
      ports.add(request.socket.remotePort)
      request.resume().on('end', () => response.end('{}'))
    })
    for (let index = 0; index < 20; index++) await client.delete(nodes, `n${index}`)
    // The pool may open a second connection while it frees the first; without reuse there would be 20.
    expect(ports.size).toBeLessThan(10)
  })

  test('a server that does not answer is a KubeError at the deadline', async () => {
    const { client } = await serve([], () => {})
    const error = await client.create(nodes, { metadata: { name: 'x' } }).catch((caught: unknown) => caught)
    expect(isUnreachable(error)).toBe(true)
    expect((error as Error).message).toMatch(/POST \/api\/v1\/nodes: .* gave no answer in time/)
  })

  test('a server that is not there is a KubeError that says where and what to do', async () => {
    const client = createKubeClient({ server: 'http://127.0.0.1:1', namespace: 'default' }, { attempts: 1 })
    const error = await client.get(nodes, 'x').catch((caught: unknown) => caught)
    expect(isUnreachable(error)).toBe(true)
    expect((error as KubeError).message).toContain('http://127.0.0.1:1')
    expect((error as KubeError).fix).toContain('http://127.0.0.1:1')
  })

  test('a list whose continue token expired is read once more in one piece', async () => {
    const gone = json(410, { kind: 'Status', reason: 'Expired', code: 410, message: 'token expired' })
    const { server, client } = await serve([listOf(5, { a: '1' }, 'next'), gone, listOf(6, { a: '1', b: '1' })])
    const list = await client.list(configMaps, { namespace: 'default' })
    expect(list.items.map((item) => item.metadata.name)).toEqual(['a', 'b'])
    expect(server.lists.map((url) => url.search)).toEqual(['?limit=500', '?limit=500&continue=next', ''])
  })

  test('a watch from a forgotten version throws Gone for an HTTP 410 too', async () => {
    const { client } = await serve([])
    const server = await startScriptedKubeServer({ lists: [], watches: [json(410, { kind: 'Status', code: 410 })] })
    stops.push(() => server.close())
    const other = createKubeClient(server.config)
    const read = async (): Promise<void> => {
      for await (const event of other.watch(configMaps, { resourceVersion: '1' })) expect(event).toBeUndefined()
    }
    await expect(read()).rejects.toSatisfy(isGone)
    await Promise.all([client.close(), other.close()])
  })

  test('sends its token and the content type of a patch', async () => {
    const seen: (string | undefined)[] = []
    const { client } = await serve([], (response, url, request) => {
      seen.push(request.headers.authorization, request.headers['content-type'], url.search)
      response.end('{}')
    })
    await client.patch(nodes, 'x', { type: 'apply', fieldManager: 'twinlane', force: true, body: {} })
    expect(seen).toEqual(['Bearer secret', 'application/apply-patch+yaml', '?fieldManager=twinlane&force=true'])
  })
})
