import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { describeError } from '../../../base/errors.ts'
import type { Api } from '../api.ts'
import { parseResourcePath } from '../http/path.ts'
import { statusOf } from '../http/send.ts'
import { userOf } from '../http/user.ts'
import { badRequest, noSuchPath, StatusError } from '../status.ts'
import { type ContainerTarget, findContainer, unreachable } from './target.ts'

/**
 * Serves a request that wants its connection for itself: exec and attach over WebSocket are handed to the node's kubelet
 * with their handshake, byte for byte. Everything else is answered with a Status. Never throws.
 */
export async function openSession(api: Api, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => socket.destroy())
  try {
    userOf(request)
    const url = new URL(request.url ?? '/', 'https://localhost')
    const { target, action } = sessionOf(api, url)
    const kubelet = await dial(target)
    if (!isWebSocket(request)) {
      kubelet.destroy()
      throw badRequest(`${action} needs WebSocket: use kubectl 1.30 or later (SPDY is not supported)`)
    }
    const path = `/${action}/${target.namespace}/${target.pod}/${target.container}${url.search}`
    kubelet.write(renderHandshake(request, path, target.node))
    kubelet.write(head)
    join(socket, kubelet)
  } catch (error) {
    refuse(socket, statusOf(error))
  }
}

/** Answer of port-forward, which needs SPDY inside WebSocket. */
export function portForwardRefusal(): StatusError {
  const message =
    'port-forward is not supported by the lab: run a client next to the pod with "twinlane lab exec NODE -- CMD" or "kubectl exec"'
  return new StatusError(501, 'NotImplemented', message)
}

function sessionOf(api: Api, url: URL): { target: ContainerTarget; action: 'exec' | 'attach' } {
  const path = parseResourcePath(url.pathname)
  const isPod = path?.group === '' && path.version === 'v1' && path.plural === 'pods'
  if (!isPod || path.name === undefined || path.namespace === undefined) throw noSuchPath()
  const { subresource: action, name: pod, namespace } = path
  if (action === 'portforward') throw portForwardRefusal()
  if (action !== 'exec' && action !== 'attach') throw noSuchPath()
  const target = findContainer(api, { namespace, pod, container: url.searchParams.get('container') ?? undefined })
  if (target.isRunning === false) {
    throw badRequest(`container ${target.container} of pod ${pod} is not running: cannot ${action}`)
  }
  return { target, action }
}

/** kubectl tries SPDY after every refusal of WebSocket and shows what that says: the true reason comes first then too. */
function isWebSocket(request: IncomingMessage): boolean {
  return (request.headers.upgrade ?? '').toLowerCase() === 'websocket'
}

function dial({ socketPath, node }: ContainerTarget): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const kubelet = connect(socketPath)
    kubelet.once('error', (error) => reject(unreachable(node, describeError(error))))
    kubelet.once('connect', () => resolve(kubelet))
  })
}

function renderHandshake(request: IncomingMessage, path: string, host: string): string {
  const kept = Object.entries(request.headers).filter(([name]) => /^(sec-websocket-.*|user-agent)$/.test(name))
  const lines = kept.map(([name, value]) => `${name}: ${[value].flat().join(', ')}`)
  return [`GET ${path} HTTP/1.1`, `host: ${host}`, 'connection: Upgrade', 'upgrade: websocket', ...lines, '', ''].join(
    '\r\n',
  )
}

/** Both ways until either side ends. */
function join(client: Duplex, kubelet: Socket): void {
  kubelet.setNoDelay(true)
  kubelet.on('error', () => client.destroy())
  kubelet.on('close', () => client.end())
  client.on('close', () => kubelet.destroy())
  client.pipe(kubelet)
  kubelet.pipe(client)
}

function refuse(socket: Duplex, status: StatusError): void {
  if (socket.destroyed) return
  const body = Buffer.from(JSON.stringify(status.toStatus()))
  const head = [
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code] ?? 'Error'}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body.toString()}`)
}
