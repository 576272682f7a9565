import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { KubeConfig } from '../../src/kube/kubeconfig.ts'

export type Answer = (response: ServerResponse, url: URL, request: IncomingMessage) => void

export interface ScriptedKubeServer {
  readonly config: KubeConfig
  /** Every request so far, `GET /api/v1/pods?watch=1…`. */
  readonly requests: string[]
  readonly watches: URL[]
  readonly lists: URL[]
  close(): Promise<void>
}

/** An API server that answers its lists and its watches in the order of the two scripts; the last entry repeats. */
export async function startScriptedKubeServer(script: {
  lists: readonly Answer[]
  watches: readonly Answer[]
  other?: Answer
}): Promise<ScriptedKubeServer> {
  const seen = { requests: [] as string[], lists: [] as URL[], watches: [] as URL[] }
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://server')
    seen.requests.push(`${request.method} ${url.pathname}${url.search}`)
    if (request.method !== 'GET' && script.other !== undefined) return script.other(response, url, request)
    const kind = url.searchParams.has('watch') ? 'watches' : 'lists'
    seen[kind].push(url)
    const answers = script[kind]
    answers[Math.min(seen[kind].length, answers.length) - 1]?.(response, url, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    ...seen,
    config: { server: `http://127.0.0.1:${port}`, namespace: 'default' },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A list of config maps, `{ name: data }`, at a resourceVersion. */
export function listOf(resourceVersion: number, objects: Record<string, string>, continueToken?: string): Answer {
  const items = Object.entries(objects).map(([name, value]) => configMapJson(name, value, resourceVersion))
  return json(200, {
    kind: 'ConfigMapList',
    metadata: { resourceVersion: String(resourceVersion), continue: continueToken },
    items,
  })
}

export function json(statusCode: number, body: unknown): Answer {
  return (response) => {
    response.writeHead(statusCode, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

/** Sends these lines, then does `ending`: stays open, ends cleanly, or breaks the connection. */
export function watchOf(lines: readonly unknown[], ending: 'open' | 'end' | 'reset'): Answer {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    for (const line of lines) response.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`)
    if (ending === 'end') response.end()
    if (ending === 'reset') setTimeout(() => response.socket?.resetAndDestroy(), 10)
  }
}

export function change(type: string, name: string, value: string, resourceVersion: number): unknown {
  return { type, object: { apiVersion: 'v1', kind: 'ConfigMap', ...configMapJson(name, value, resourceVersion) } }
}

function configMapJson(name: string, value: string, resourceVersion: number): object {
  const metadata = { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: String(resourceVersion) }
  return { metadata, data: { value } }
}
