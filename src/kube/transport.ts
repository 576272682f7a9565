import type { Readable } from 'node:stream'
import { type Dispatcher, request as undiciRequest } from 'undici'
import { describeError, errorCode } from '../base/errors.ts'
import { retry } from '../base/retry.ts'
import { isTooManyRequests, isTransient, KubeError, type KubeStatus, retryAfterMs, statusError } from './errors.ts'
import { exchange, type HttpAnswer } from './exchange.ts'
import type { KubeConfig } from './kubeconfig.ts'
import { createRenewableLink, type Link } from './link.ts'

export interface TransportOptions {
  /** Deadline of a request that is not a stream, with its repetitions. @default 30000 */
  requestTimeoutMs?: number
  /** A stream that says nothing for this long is taken for dead. @default 120000 */
  streamIdleTimeoutMs?: number
  /**
   * How often a request is tried: a read when the server is away, busy or failing, anything else only when the server is
   * too busy to begin with it (429). @default 4
   */
  attempts?: number
  /** @default twinlane */
  userAgent?: string
  /**
   * Reads the configuration again, when one of its files changes and after a 401. New credentials then serve every
   * request, and streams end so that their owners come back with the new ones. @default what was given stays
   */
  reload?: () => Promise<KubeConfig>
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
  /** Deadline of each attempt: a connection to a server that is no more says nothing. @default timeoutMs */
  attemptTimeoutMs?: number
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
  const links = createRenewableLink(config, options)

  const once = async (request: TransportRequest, timeoutMs: number): Promise<unknown> => {
    return await links.use(async (link) => {
      const answer = await sendWhole(link, request, { ...options, timeoutMs })
      if (answer.statusCode >= 400) throw failure(request, answer)
      return parseJson(request, answer.text)
    })
  }

  return {
    get config() {
      return links.current.config
    },
    credentials: () => links.current.credentials(),
    json: (request) => {
      const timeoutMs = request.timeoutMs ?? options.requestTimeoutMs ?? 30_000
      const until = performance.now() + timeoutMs
      const leftMs = (): number => Math.max(1, Math.ceil(until - performance.now()))
      return retry(() => once(request, Math.min(request.attemptTimeoutMs ?? timeoutMs, leftMs())), {
        attempts: options.attempts ?? 4,
        maxDelayMs: 2000,
        leastDelayMs: retryAfterMs,
        retryable: (error) => mayRepeat(request, error) && leftMs() > (retryAfterMs(error) ?? 1),
        signal: request.signal,
      })
    },
    stream: (request) =>
      links.use(async (link) => {
        const response = await openStream(link, request, options)
        if (response.statusCode < 400) return response.body
        throw failure(request, { ...response, text: await readText(link.config, request, response) })
      }),
    close: () => links.close(),
  }
}

function mayRepeat({ method, signal }: TransportRequest, error: unknown): boolean {
  if (signal?.aborted === true) return false
  return method === 'GET' ? isTransient(error) : isTooManyRequests(error)
}

async function sendWhole(
  link: Link,
  request: TransportRequest,
  { timeoutMs, userAgent }: TransportOptions & { timeoutMs: number },
): Promise<HttpAnswer> {
  try {
    return await exchange(link.requests, await httpRequest(link, request, userAgent), {
      timeoutMs,
      signal: request.signal,
    })
  } catch (error) {
    throw unreachable(link.config, request, error)
  }
}

async function openStream(
  link: Link,
  request: TransportRequest,
  { userAgent }: TransportOptions,
): Promise<Dispatcher.ResponseData> {
  const { signal, idleTimeoutMs } = request
  try {
    const { origin, ...rest } = await httpRequest(link, request, userAgent)
    return await undiciRequest(origin, {
      ...rest,
      dispatcher: link.streams,
      ...(signal === undefined ? {} : { signal }),
      ...(idleTimeoutMs === undefined ? {} : { bodyTimeout: idleTimeoutMs }),
    })
  } catch (error) {
    throw unreachable(link.config, request, error)
  }
}

async function httpRequest(
  { config, credentials }: Link,
  request: TransportRequest,
  userAgent = 'twinlane',
): Promise<Dispatcher.DispatchOptions & { origin: string }> {
  const hasBody = request.body !== undefined
  // Behind a proxy that serves many clusters the server's address has a path of its own.
  const { origin, pathname } = new URL(config.server)
  return {
    origin,
    path: `${pathname === '/' ? '' : pathname}${request.path}`,
    method: request.method as Dispatcher.HttpMethod,
    headers: {
      accept: 'application/json',
      'user-agent': userAgent,
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      ...(await credentials()),
      ...request.headers,
    },
    // undici would close the connection after a DELETE with a body, and the next request pay for a handshake.
    reset: false,
    ...(hasBody ? { body: JSON.stringify(request.body) } : {}),
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

function failure(request: TransportRequest, { statusCode, headers, text }: HttpAnswer): KubeError {
  let status: KubeStatus = { message: text.slice(0, 200).trim() || `HTTP ${statusCode}` }
  try {
    const parsed: unknown = JSON.parse(text)
    if ((parsed as KubeStatus | null)?.kind === 'Status') status = parsed as KubeStatus
  } catch {
    // A proxy or a dying server answers in plain text: its words are the message.
  }
  const retryAfterSeconds = Number(headers['retry-after'] ?? Number.NaN)
  // The other form, a date, is not used by API servers.
  const details = Number.isFinite(retryAfterSeconds) ? { ...status.details, retryAfterSeconds } : status.details
  return statusError(title(request), statusCode, { ...status, code: statusCode, ...(details && { details }) })
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
