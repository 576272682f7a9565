import { rm } from 'node:fs/promises'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { describeError, TwinlaneError } from '../../../base/errors.ts'
import type { Lifecycle } from '../../../base/lifecycle.ts'
import type { Log } from '../../../base/log.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { KubeletConfig } from '../config.ts'
import { logPathOf } from '../pod/paths.ts'
import type { Pods } from '../pod/pods.ts'
import type { ContainerRecord } from '../pod/record.ts'
import type { ContainerRuntime } from '../runtime/runtime.ts'
import { runAttach } from './attach-session.ts'
import { CommandChannels, failureStatus, subprotocols } from './channels.ts'
import { readContainerLog } from './container-log.ts'
import { runExec } from './exec-session.ts'
import { isOn, parseLogQuery, parseStreamPath, type StreamPath } from './request.ts'

/** The request is answered with this HTTP status and the message as plain text, as kubelets answer. */
class RequestError extends TwinlaneError {
  readonly statusCode: number

  constructor(statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

export interface StreamServerOptions {
  config: KubeletConfig
  pods: Pods
  runtime: ContainerRuntime
  log: Log
}

/** Logs, exec and attach over HTTP on a unix socket, which the API server forwards clients to. */
export class StreamServer implements Lifecycle {
  readonly #options: StreamServerOptions
  readonly #server = http.createServer()
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 64 * 1024 * 1024,
    handleProtocols: (offered) => subprotocols.find((name) => offered.has(name)) ?? false,
  })

  constructor(options: StreamServerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { config } = this.#options
    await rm(config.socket, { force: true })
    this.#server.on('request', (request, response) => void this.#answer(request, response))
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(config.socket, resolve)
    })
  }

  async stop(): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate()
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://kubelet')
      if (url.pathname === '/healthz') return void response.end('ok')
      const path = parseStreamPath(url.pathname)
      if (path?.action !== 'containerLogs') throw new RequestError(404, `no such path: ${url.pathname}`)
      await this.#sendLog(path, url.searchParams, response)
    } catch (error) {
      const statusCode = error instanceof RequestError ? error.statusCode : 500
      if (response.headersSent) response.destroy()
      else response.writeHead(statusCode, { 'content-type': 'text/plain' }).end(describeError(error))
    }
  }

  async #sendLog(path: StreamPath, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { config, pods } = this.#options
    const options = parseLogQuery(query)
    const pod = this.#getPod(path)
    const container = this.#getContainer(pod, path.container, options.previous)
    const abort = new AbortController()
    response.once('close', () => abort.abort())
    const source = {
      path: logPathOf(config, pod, path.container, container.attempt),
      isOpen: () => this.#findRunning(pod, path.container)?.id === container.id,
      ends: pods.exits,
    }
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.flushHeaders()
    for await (const text of readContainerLog(source, options, abort.signal)) {
      if (text !== '' && !response.write(text)) await drained(response)
    }
    response.end()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {})
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const channels = new CommandChannels(webSocket)
      const url = new URL(request.url ?? '/', 'http://kubelet')
      this.#runCommand(url, channels).catch((error: unknown) => {
        this.#options.log.debug({ path: url.pathname, error: describeError(error) }, 'stream refused')
        void channels.end(failureStatus(describeError(error)))
      })
    })
  }

  async #runCommand(url: URL, channels: CommandChannels): Promise<void> {
    const { runtime } = this.#options
    const path = parseStreamPath(url.pathname)
    if (path === undefined || path.action === 'containerLogs')
      throw new RequestError(404, `no such path: ${url.pathname}`)
    const running = this.#findRunning(this.#getPod(path), path.container)
    if (running === undefined)
      throw new RequestError(400, `container not found ("${path.container}"): it is not running`)
    const query = url.searchParams
    const streams = {
      containerId: running.id,
      hasStdin: isOn(query, 'stdin') || isOn(query, 'input'),
      hasStdout: isOn(query, 'stdout') || isOn(query, 'output'),
      hasStderr: isOn(query, 'stderr') || isOn(query, 'error'),
      isTerminal: isOn(query, 'tty'),
    }
    if (path.action === 'exec') await runExec(runtime, { ...streams, command: query.getAll('command') }, channels)
    else await runAttach(runtime, streams, channels)
  }

  #getPod({ namespace, pod: name }: StreamPath): PodResource {
    const pod = this.#options.pods.find(namespace, name)
    if (pod === undefined)
      throw new RequestError(404, `pod "${name}" not found in namespace "${namespace}" on this node`)
    return pod
  }

  #getContainer(pod: PodResource, name: string, previous: boolean): ContainerRecord {
    const history = this.#options.pods.recordOf(pod)?.containers[name]
    const container = previous ? history?.previous : history?.current
    if (container !== undefined) return container
    const what = `container "${name}" in pod "${pod.metadata.name}"`
    if (previous) throw new RequestError(400, `previous terminated ${what} not found`)
    throw new RequestError(400, `${what} is waiting to start: ${waitingReason(pod, name)}`)
  }

  #findRunning(pod: PodResource, name: string): ContainerRecord | undefined {
    const current = this.#options.pods.recordOf(pod)?.containers[name]?.current
    return current?.state === 'exited' ? undefined : current
  }
}

function waitingReason(pod: PodResource, name: string): string {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  return statuses.find((status) => status.name === name)?.state?.waiting?.reason ?? 'ContainerCreating'
}

/** Resolves when more can be written, or nobody reads any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve)
    response.once('close', resolve)
  })
}
