import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { Agent } from 'undici'
import { isUnauthorized } from './errors.ts'
import type { KubeConfig } from './kubeconfig.ts'
import type { TransportOptions } from './transport.ts'
import { watchFiles } from './watch-files.ts'

/** Connections to one API server as one user. */
export interface Link {
  readonly config: KubeConfig
  readonly requests: Agent
  readonly streams: Agent
  /** The headers that say who we are. */
  credentials(): Promise<Record<string, string>>
}

/** A link that is replaced when the files that it was made from say something else. */
export interface RenewableLink {
  readonly current: Link
  /** Runs a task; one that is refused with 401 runs once more when there are other credentials. */
  use<T>(task: (link: Link) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export function createRenewableLink(config: KubeConfig, options: TransportOptions): RenewableLink {
  const { reload } = options
  let current = createLink(config, options)
  let renewing: Promise<void> | undefined

  const renew = async (read: () => Promise<KubeConfig>): Promise<void> => {
    const config = await read()
    requireUsable(config)
    const next = createLink(config, options)
    if (await isSame(current, next)) return await closeLink(next)
    const before = current
    current = next
    // Streams end, and come back with the new credentials; requests under way are answered.
    await Promise.all([before.streams.destroy(), before.requests.close()])
  }
  const renewOnce = async (): Promise<void> => {
    if (reload === undefined) return
    renewing ??= renew(reload).finally(() => {
      renewing = undefined
    })
    await renewing
  }
  // A file that is half written is not an error: its next change comes, or a 401.
  const onChange = (): void => void renewOnce().catch(() => {})
  const unwatch = reload === undefined ? () => {} : watchFiles(config.files ?? [], onChange)

  return {
    get current() {
      return current
    },
    async use(task) {
      const link = current
      try {
        return await task(link)
      } catch (error) {
        if (!isUnauthorized(error)) throw error
        if (link === current) await renewOnce().catch(() => {})
        if (link === current) throw error
        return await task(current)
      }
    },
    close: async () => {
      unwatch()
      await closeLink(current)
    },
  }
}

/** Certificate and key are files of their own: while one of two is new they do not fit, and what was read before serves on. */
function requireUsable({ ca, clientCert, clientKey }: KubeConfig): void {
  createSecureContext({
    ...(ca === undefined ? {} : { ca }),
    ...(clientCert === undefined ? {} : { cert: clientCert }),
    ...(clientKey === undefined ? {} : { key: clientKey }),
  })
}

function createLink(config: KubeConfig, options: TransportOptions): Link {
  return {
    config,
    requests: createAgent(config, options, requestConnections),
    streams: createAgent(config, options, streamConnections),
    credentials: createCredentials(config),
  }
}

async function closeLink({ requests, streams }: Link): Promise<void> {
  await Promise.all([requests.destroy(), streams.destroy()])
}

async function isSame(a: Link, b: Link): Promise<boolean> {
  return isDeepStrictEqual(a.config, b.config) && isDeepStrictEqual(await a.credentials(), await b.credentials())
}

/**
 * Requests queue for these connections: a TLS handshake costs both sides more than a few requests, so a burst that
 * opened a connection for each would take several times as long.
 */
const requestConnections = 6

/** A watch holds a connection for as long as it lasts. */
const streamConnections = 128

function createAgent(config: KubeConfig, options: TransportOptions, connections: number): Agent {
  return new Agent({
    headersTimeout: options.requestTimeoutMs ?? 30_000,
    bodyTimeout: options.streamIdleTimeoutMs ?? 120_000,
    keepAliveTimeout: 60_000,
    connections,
    connect: {
      timeout: 10_000,
      rejectUnauthorized: config.skipTlsVerify !== true,
      ...(config.ca === undefined ? {} : { ca: config.ca }),
      ...(config.clientCert === undefined ? {} : { cert: config.clientCert }),
      ...(config.clientKey === undefined ? {} : { key: config.clientKey }),
      ...(config.tlsServerName === undefined ? {} : { servername: config.tlsServerName }),
    },
  })
}

function createCredentials(config: KubeConfig): () => Promise<Record<string, string>> {
  let cached = { token: config.token, readAt: Number.NEGATIVE_INFINITY }
  return async () => {
    if (config.basicAuth !== undefined) {
      const { username, password } = config.basicAuth
      return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
    }
    if (config.tokenFile !== undefined && Date.now() - cached.readAt > 60_000) {
      cached = { token: (await readFile(config.tokenFile, 'utf8')).trim(), readAt: Date.now() }
    }
    return cached.token === undefined ? {} : { authorization: `Bearer ${cached.token}` }
  }
}
