import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'

export type Listener = { host: string; port: number } | { fd: number }

export interface ServerOptions {
  readonly tls: { readonly key: string; readonly cert: string; readonly clientCa: string }
  readonly onRequest: RequestListener
  readonly onUpgrade: (...args: Parameters<UpgradeListener>) => void
}

type UpgradeListener = (
  request: import('node:http').IncomingMessage,
  socket: import('node:stream').Duplex,
  head: Buffer,
) => void

/**
 * An HTTPS server, not yet listening. It asks for a client certificate but leaves judging it to the request, so that a
 * client without one gets a readable 401 and not a broken handshake.
 */
export function createApiServer({ tls, onRequest, onUpgrade }: ServerOptions): Server {
  const server = createServer({
    key: tls.key,
    cert: tls.cert,
    ca: tls.clientCa,
    requestCert: true,
    rejectUnauthorized: false,
    noDelay: true,
  })
  // Watches and exec sessions are requests that last for hours.
  server.requestTimeout = 0
  server.headersTimeout = 60_000
  server.keepAliveTimeout = 120_000
  server.on('request', onRequest)
  server.on('upgrade', onUpgrade)
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

/** Starts to listen; resolves with the port. */
export function listen(server: Server, listener: Listener): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(listener, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Ends every connection and stops listening. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
