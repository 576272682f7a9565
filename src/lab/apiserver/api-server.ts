import { setMaxListeners } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import { connect } from 'node:net'
import type { Log } from '../../base/log.ts'
import { runAll } from '../../base/undo.ts'
import type { Connect } from '../outgoing.ts'
import type { Api } from './api.ts'
import { ensureBootstrapObjects } from './bootstrap.ts'
import { sendError, statusOf } from './http/send.ts'
import { openSession } from './kubelet/sessions.ts'
import { OpenApi } from './openapi/openapi.ts'
import { Resources } from './resources/resources.ts'
import { route } from './router.ts'
import { closeServer, createApiServer, type Listener, listen } from './server.ts'
import { Store } from './storage/store.ts'
import { expireEvents } from './verbs/expire-events.ts'
import { resumeRemovals } from './verbs/remove.ts'

export interface ApiServerOptions {
  /** The append-only log and the snapshot live here. */
  dataFolder: string
  /** PEM texts. Every client must present a certificate signed by `clientCa`. */
  tls: { key: string; cert: string; clientCa: string }
  /** `fd` is a socket that listens already, made in another network namespace. */
  listeners: Listener[]
  /** ClusterIPs come from here; its first address is the service `kubernetes`. */
  serviceCidr: string
  /** The endpoint of the service `kubernetes`. */
  advertise: { host: string; port: number }
  /** Unix socket of that node's kubelet, or undefined when there is none. */
  kubeletSocket: (nodeName: string) => string | undefined
  /** How webhooks are reached. @default from where this process is */
  connect?: Connect
  log: Log
}

export interface ApiServer {
  /** In the order of the listeners. */
  readonly ports: number[]
  close(): Promise<void>
}

/** Starts the lab's Kubernetes API: one store, any number of listeners. Resolves when all of them accept. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const store = await Store.open({ folder: options.dataFolder, log: options.log })
  const { serviceCidr, kubeletSocket, log, connect = connectHere } = options
  const resources = new Resources(store)
  const api: Api = { store, resources, openApi: new OpenApi(resources), serviceCidr, kubeletSocket, connect, log }
  ensureBootstrapObjects(api, options.advertise)
  resumeRemovals(api)
  await store.durable()
  const stopping = new AbortController()
  // Every watch listens to it for as long as it lasts.
  setMaxListeners(0, stopping.signal)
  expireEvents(store, log, stopping.signal)
  const servers = options.listeners.map(() => createFor(api, options, stopping.signal))
  const ports = await Promise.all(
    options.listeners.map((listener, index) => listen(servers[index] as Server, listener)),
  )
  return {
    ports,
    close: () => {
      stopping.abort()
      return runAll('stop the API server', [...servers.map((server) => () => closeServer(server)), () => store.close()])
    },
  }
}

function createFor(api: Api, { tls }: ApiServerOptions, signal: AbortSignal): Server {
  return createApiServer({
    tls,
    onRequest: (request, response) => void serve(api, request, response, signal),
    onUpgrade: (request, socket, head) => void openSession(api, request, socket, head),
  })
}

/** The socket is connecting; its events tell how that ends. */
const connectHere: Connect = async (host, port) => connect({ host, port })

/** No request can harm the server: whatever is thrown becomes the answer. */
async function serve(api: Api, request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
  response.on('error', () => {})
  try {
    await route(api, request, response, signal)
  } catch (error) {
    const { code } = statusOf(error)
    if (code === 500) api.log.error({ error, method: request.method, url: request.url }, 'request failed')
    sendError(response, error)
  }
}
