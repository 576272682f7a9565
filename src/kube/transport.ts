import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Agent, type Dispatcher, request as undiciRequest } from 'undici'
import { describeError, errorCode } from '../base/errors.ts'
import { retry } from '../base/retry.ts'
import { isTransient, KubeError, type KubeStatus, statusError } from './errors.ts'
import type { KubeConfig } from './kubeconfig.ts'

export interface TransportOptions {
  /** Deadline of one request that is not a stream. @default 30000 */
  requestTimeoutMs?: number
  /** A stream that says nothing for this long is taken for dead. @default 120000 */
  streamIdleTimeoutMs?: number
  /** How often a read is tried when the server is away, busy or failing; nothing but GET is ever repeated. @default 4 */
  attempts?: number
  /** @default twinlane */
  userAgent?: string
}

export interface TransportRequest {
  method: string
  /** With its query. */
  path: string
  body?: unknown
  headers?: Record<string, string> | undefined
  signal?: AbortSignal | undefined
  /** @default requestTimeoutMs of the options */
  timeoutMs?: number
  /** For a stream that may be silent for long, such as a log that is followed; 0 = for ever. @default streamIdleTimeoutMs */
  idleTimeoutMs?: number
}

/** HTTPS to one API server: credentials, TLS, keep-alive, deadlines, and errors that name the request. */
export interface Transport {
  readonly config: KubeConfig
  /** Sends and reads a whole JSON answer. Throws KubeError. */
  json(request: TransportRequest): Promise<unknown>
  /** Sends a request without a deadline and hands over the body as it arrives. Throws KubeError. */
  stream(request: TransportRequest): Promise<Readable>
  /** The headers that say who we are, e.g. for a WebSocket. */
  credentials(): Promise<Record<string, string>>
  close(): Promise<void>
}

export function createTransport(config: KubeConfig, options: TransportOptions = {}): Transport {
  const requests = createAgent(config, options, requestConnections)
  const streams = createAgent(config, options, streamConnections)
  const credentials = createCredentials(config)

  const send = async (
    dispatcher: Agent,
    request: TransportRequest,
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> => {
    const hasBody = request.body !== undefined
    try {
      return await undiciRequest(`${config.server}${request.path}`, {
        dispatcher,
        method: request.method as Dispatcher.HttpMethod,
        headers: {
          accept: 'application/json',
          'user-agent': options.userAgent ?? 'twinlane',
          ...(hasBody ? { 'content-type': 'application/json' } : {}),
          ...(await credentials()),
          ...request.headers,
        },
        // undici would close the connection after a DELETE with a body, and the next request pay for a handshake.
        reset: false,
        ...(hasBody ? { body: JSON.stringify(request.body) } : {}),
        ...(signal === undefined ? {} : { signal }),
        ...(request.idleTimeoutMs === undefined ? {} : { bodyTimeout: request.idleTimeoutMs }),
      })
    } catch (error) {
      throw unreachable(config, request, error)
    }
  }

  const once = async (request: TransportRequest): Promise<unknown> => {
    const timeoutMs = request.timeoutMs ?? options.requestTimeoutMs ?? 30_000
    const deadline = AbortSignal.timeout(timeoutMs)
    const signal = request.signal === undefined ? deadline : AbortSignal.any([request.signal, deadline])
    const response = await send(requests, request, signal)
    const text = await readText(config, request, response)
    if (response.statusCode >= 400) throw failure(request, response.statusCode, text)
    return parseJson(request, text)
  }

  return {
    config,
    credentials,
    json: (request) =>
      retry(() => once(request), {
        attempts: request.method === 'GET' ? (options.attempts ?? 4) : 1,
        maxDelayMs: 2000,
        retryable: (error) => isTransient(error) && request.signal?.aborted !== true,
        signal: request.signal,
      }),
    async stream(request) {
      const response = await send(streams, request, request.signal)
      if (response.statusCode < 400) return response.body
      throw failure(request, response.statusCode, await readText(config, request, response))
    },
    close: async () => void (await Promise.all([requests.destroy(), streams.destroy()])),
  }
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

async function readText(
  config: KubeConfig,
  request: TransportRequest,
  response: Dispatcher.ResponseData,
): Promise<string> {
  try {
    return await response.body.text()
  } catch (error) {
    throw unreachable(config, request, error)
  }
}

function parseJson(request: TransportRequest, text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch (cause) {
    const start = text.slice(0, 80).replaceAll(/\s+/g, ' ')
    throw new KubeError(`${title(request)}: the answer is not JSON: ${start}`, {
      statusCode: 0,
      reason: 'BadAnswer',
      cause,
    })
  }
}

function failure(request: TransportRequest, statusCode: number, text: string): KubeError {
  let status: KubeStatus = { message: text.slice(0, 200).trim() || `HTTP ${statusCode}` }
  try {
    const parsed: unknown = JSON.parse(text)
    if ((parsed as KubeStatus | null)?.kind === 'Status') status = parsed as KubeStatus
  } catch {
    // A proxy or a dying server answers in plain text: its words are the message.
  }
  return statusError(title(request), statusCode, { ...status, code: statusCode })
}

function unreachable(config: KubeConfig, request: TransportRequest, error: unknown): unknown {
  if (request.signal?.aborted === true) return request.signal.reason
  const isLate = (error as { name?: string }).name === 'TimeoutError'
  if (isLate) {
    return new KubeError(`${title(request)}: ${config.server} gave no answer in time`, {
      statusCode: 0,
      reason: 'Timeout',
      cause: error,
    })
  }
  const fix = errorCode(error) === 'ECONNREFUSED' ? { fix: `see whether the API server at ${config.server} runs` } : {}
  const message = `${title(request)}: cannot reach ${config.server}: ${describeError(error)}`
  return new KubeError(message, { statusCode: 0, reason: 'Unreachable', cause: error, ...fix })
}

function title(request: TransportRequest): string {
  return `${request.method} ${request.path.split('?')[0]}`
}
