import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { User } from '../api.ts'
import { unauthorized } from '../status.ts'

/** A connection's certificate cannot change, and decoding it costs more than many a request. */
const users = new WeakMap<TLSSocket, User>()

/** Who the client certificate names: common name and organizations. Throws 401 without a certificate that the CA signed. */
export function userOf(request: IncomingMessage): User {
  const socket = request.socket as TLSSocket
  if (!socket.authorized) throw unauthorized()
  const user = users.get(socket) ?? readUser(socket)
  users.set(socket, user)
  return user
}

function readUser(socket: TLSSocket): User {
  const { CN, O } = (socket.getPeerCertificate().subject ?? {}) as { CN?: string; O?: string | string[] }
  return { name: CN ?? 'system:anonymous', groups: O === undefined ? [] : [O].flat() }
}
