import https from 'node:https'
import type { TestApiServer } from './api-server.ts'

export interface HttpAnswer {
  code: number
  headers: NodeJS.Dict<string | string[]>
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers of any shape.
  body: any
}

export interface WatchConnection {
  /** The events so far, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly events: any[]
  /** Resolves once there are that many events, or the stream has ended. */
  seen(count: number): Promise<void>
  readonly ended: Promise<void>
  pause(): void
  resume(): void
  stop(): void
}

/** Plain HTTPS against the test server, to see exactly what goes over the wire. */
export class HttpsClient {
  readonly #server: TestApiServer
  readonly #agent: https.Agent

  constructor(server: TestApiServer, options: { withCertificate: boolean } = { withCertificate: true }) {
    const { ca, clientKey, clientCert } = server.pki
    const identity = options.withCertificate ? { key: clientKey, cert: clientCert } : {}
    this.#server = server
    this.#agent = new https.Agent({ keepAlive: true, ca, maxSockets: 16, ...identity })
  }

  call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { 'content-type': 'application/json' },
  ): Promise<HttpAnswer> {
    const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const length = content === undefined ? {} : { 'content-length': String(Buffer.byteLength(content)) }
    const options = { method, headers: { ...headers, ...length }, agent: this.#agent }
    return new Promise((resolve, reject) => {
      const request = https.request(this.#server.url + path, options, (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () =>
          resolve({ code: response.statusCode ?? 0, headers: response.headers, body: parse(text) }),
        )
      })
      request.on('error', reject)
      request.end(content)
    })
  }

  watch(path: string, headers: Record<string, string> = {}): Promise<WatchConnection> {
    return new Promise((resolve, reject) => {
      const request = https.request(this.#server.url + path, { headers, agent: this.#agent }, (response) =>
        resolve(followEvents(response, () => request.destroy())),
      )
      request.on('error', reject)
      request.end()
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

function followEvents(response: import('node:http').IncomingMessage, stop: () => void): WatchConnection {
  const events: unknown[] = []
  const waiters = new Set<() => void>()
  let rest = ''
  const tell = (): void => {
    for (const waiter of [...waiters]) waiter()
  }
  response.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    events.push(...lines.map((line) => JSON.parse(line) as unknown))
    tell()
  })
  let hasEnded = false
  const ended = new Promise<void>((resolve) => {
    response.on('error', () => {})
    response.on('close', () => {
      hasEnded = true
      tell()
      resolve()
    })
  })
  return {
    events,
    ended,
    seen: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (events.length < count && !hasEnded) return
          waiters.delete(look)
          resolve()
        }
        waiters.add(look)
        look()
      }),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    stop,
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
