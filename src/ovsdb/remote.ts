import { readFile } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { OvsdbConnectionError } from './errors.ts'

/** PEM files of this side's identity and of the authority that has signed the other's. */
export interface TlsFiles {
  readonly privateKey: string
  readonly certificate: string
  readonly caCertificate: string
}

/** Where a database server listens. */
export type Remote =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number }

/** `unix:/run/openvswitch/db.sock`, `tcp:192.0.2.1:6641`, `ssl:[2001:db8::1]:6641`. Throws OvsdbConnectionError. */
export function parseRemote(remote: string): Remote {
  const unix = /^unix:(.+)$/.exec(remote)
  if (unix?.[1] !== undefined) return { kind: 'unix', path: unix[1] }
  const [, kind, bracketed, plain, port] = /^(tcp|ssl):(?:\[([^\]]+)\]|([^:[\]]+)):(\d+)$/.exec(remote) ?? []
  const host = bracketed ?? plain
  if (host === undefined || !(Number(port) <= 65_535)) {
    throw new OvsdbConnectionError(`"${remote}" is not the address of a database`, {
      fix: 'write unix:/path/to/db.sock, tcp:ADDRESS:PORT or ssl:ADDRESS:PORT',
    })
  }
  return { kind: kind as 'tcp' | 'ssl', host, port: Number(port) }
}

/** A socket on its way; `ready` rejects with OvsdbConnectionError. Files are read anew each time: they are renewed. */
export async function openSocket(
  text: string,
  tls: TlsFiles | undefined,
): Promise<{ socket: Socket; ready: Promise<void> }> {
  const remote = parseRemote(text)
  const socket = remote.kind === 'ssl' ? await openTls(text, remote, tls) : createConnection(remote)
  const ready = new Promise<void>((resolve, reject) => {
    socket.once(remote.kind === 'ssl' ? 'secureConnect' : 'connect', resolve)
    socket.once('error', (cause) => reject(new OvsdbConnectionError(`cannot connect to ${text}`, { cause })))
  })
  return { socket, ready }
}

async function openTls(
  text: string,
  { host, port }: { host: string; port: number },
  tls: TlsFiles | undefined,
): Promise<Socket> {
  if (tls === undefined) {
    throw new OvsdbConnectionError(`${text} needs a private key, a certificate and a CA certificate`, {
      fix: 'name the files under networks.ovn.tls, or use tcp:',
    })
  }
  const [key, cert, ca] = await Promise.all(
    [tls.privateKey, tls.certificate, tls.caCertificate].map((path) => read(text, path)),
  )
  // As every OVN program: the authority signs databases and nothing else, so its word is enough, and names are not compared.
  return connectTls({ host, port, key, cert, ca, checkServerIdentity: () => undefined })
}

async function read(remote: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new OvsdbConnectionError(`cannot read ${path}, which ${remote} needs`, { cause })
  }
}
