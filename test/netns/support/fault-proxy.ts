import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestApiServer } from '../../support/api-server.ts'

/** One request on its way, and what may become of it. */
export interface Exchange {
  readonly method: string
  readonly url: URL
  readonly response: ServerResponse
  /** Hands it to the API server, whose answer goes back. */
  forward(): void
  /** Resolves when the fault is over. */
  readonly healed: Promise<void>
}

/** How the way to the API server is broken. */
export type Fault = (exchange: Exchange) => void

/** Stands between an agent and its API server, and breaks what goes through it. */
export class FaultProxy {
  readonly kubeconfig: string
  readonly #folder: string
  readonly #target: TestApiServer
  readonly #upstream: Agent
  readonly #sockets = new Set<Socket>()
  #server: Server
  #port = 0
  #fault: { readonly act: Fault; readonly healed: Promise<void>; heal(): void } | undefined

  private constructor(target: TestApiServer, folder: string) {
    const { ca, clientCert: cert, clientKey: key } = target.pki
    this.#target = target
    this.#folder = folder
    this.kubeconfig = join(folder, 'kubeconfig')
    this.#upstream = new Agent({ keepAlive: true, ca, cert, key })
    this.#server = this.#createServer()
  }

  static async start(target: TestApiServer): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, await mkdtemp(join(tmpdir(), 'fault-proxy-')))
    await proxy.#listen()
    const cluster = { name: 'test', cluster: { server: `http://127.0.0.1:${proxy.#port}` } }
    const context = { name: 'test', context: { cluster: 'test', user: 'test' } }
    const users = [{ name: 'test', user: {} }]
    const config = { apiVersion: 'v1', kind: 'Config', 'current-context': 'test', clusters: [cluster], users }
    await writeFile(proxy.kubeconfig, JSON.stringify({ ...config, contexts: [context] }))
    return proxy
  }

  /** From now on every new request meets the fault; connections of before break, so streams come anew. */
  break(act: Fault): void {
    let heal = (): void => {}
    const healed = new Promise<void>((resolve) => {
      heal = resolve
    })
    this.#fault = { act, healed, heal }
    this.#breakConnections()
  }

  /** Nobody listens any more. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#breakConnections()
    await closed
  }

  async heal(): Promise<void> {
    this.#fault?.heal()
    this.#fault = undefined
    if (this.#server.listening) return
    this.#server = this.#createServer()
    await this.#listen()
  }

  async stop(): Promise<void> {
    await this.heal()
    await this.refuse()
    this.#upstream.destroy()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #createServer(): Server {
    const server = createServer((request, response) => {
      response.on('error', () => {})
      // A caller that breaks off in the middle of its request.
      this.#serve(request, response).catch(() => response.destroy())
    })
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    return server
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  #breakConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** The body is read before anything else is done: what is forwarded late is whole, even if the caller has left. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const forward = (): void => this.#forward(request, Buffer.concat(chunks), response)
    const url = new URL(request.url ?? '/', this.#target.url)
    if (this.#fault === undefined) return forward()
    this.#fault.act({ method: request.method ?? '', url, response, forward, healed: this.#fault.healed })
  }

  #forward({ method, url, headers }: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const { host: _, connection: __, ...rest } = headers
    const onward = httpsRequest(new URL(url ?? '/', this.#target.url), {
      agent: this.#upstream,
      method,
      headers: rest,
    })
    onward.on('response', (answer) => {
      if (response.destroyed) return void answer.resume()
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.flushHeaders()
      answer.on('error', () => response.destroy())
      answer.pipe(response)
      response.once('close', () => answer.destroy())
    })
    onward.on('error', () => response.destroy())
    onward.end(body)
  }
}
