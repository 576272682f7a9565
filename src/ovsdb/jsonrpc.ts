import type { Socket } from 'node:net'
import { type Deferred, defer, withDeadline } from '../base/clock.ts'
import { Emitter } from '../base/observable.ts'
import { OvsdbConnectionError, OvsdbError } from './errors.ts'
import { JsonScanner } from './json-scanner.ts'
import { openSocket, type TlsFiles } from './remote.ts'

export interface Notification {
  readonly method: string
  readonly params: readonly unknown[]
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: readonly unknown[]
  readonly result?: unknown
  readonly error?: unknown
}

/** One JSON-RPC 1.0 connection (RFC 7047 section 4). Answers the server's echo requests by itself. */
export class JsonRpc {
  /** Resolves with the reason when the connection has ended. */
  readonly closed: Promise<Error>
  readonly notifications = new Emitter<Notification>()
  readonly #remote: string
  readonly #socket: Socket
  readonly #scanner = new JsonScanner()
  readonly #pending = new Map<number, { method: string; answer: Deferred<unknown> }>()
  readonly #closed: Deferred<Error> = defer()
  readonly #probe: NodeJS.Timeout
  #nextId = 1
  #silentProbes = 0

  private constructor(remote: string, socket: Socket, probeMs: number) {
    this.#remote = remote
    this.#socket = socket
    this.closed = this.#closed.promise
    socket.on('data', (chunk) => this.#read(chunk))
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(undefined))
    this.#probe = setInterval(() => this.#checkAlive(), probeMs)
    this.#probe.unref()
  }

  /** Throws OvsdbConnectionError. `probeMs` is how long the server may be silent before it is asked for a sign of life. */
  static async connect(
    remote: string,
    options: { timeoutMs: number; probeMs: number; tls?: TlsFiles | undefined; signal?: AbortSignal | undefined },
  ): Promise<JsonRpc> {
    const { socket, ready } = await openSocket(remote, options.tls)
    try {
      await withDeadline(ready, { what: `a connection to ${remote}`, ...options })
    } catch (error) {
      socket.destroy()
      throw error
    }
    socket.setNoDelay(true)
    return new JsonRpc(remote, socket, options.probeMs)
  }

  /** Throws OvsdbError when the server answers with an error, OvsdbConnectionError when the connection ends first. */
  request(method: string, params: readonly unknown[]): Promise<unknown> {
    const id = this.#nextId++
    const answer = defer<unknown>()
    if (this.#socket.destroyed) answer.reject(new OvsdbConnectionError(`the connection to ${this.#remote} has ended`))
    else {
      this.#pending.set(id, { method, answer })
      this.#send({ id, method, params })
    }
    return answer.promise
  }

  /** `reason` is what `closed` and the requests under way are told. */
  close(reason?: string): void {
    this.#end(reason === undefined ? undefined : new Error(reason))
  }

  #send(message: object): void {
    this.#socket.write(JSON.stringify(message))
  }

  #read(chunk: Buffer): void {
    this.#silentProbes = 0
    try {
      for (const text of this.#scanner.push(chunk)) this.#receive(JSON.parse(text) as Message)
    } catch (error) {
      this.#end(error)
    }
  }

  #receive(message: Message): void {
    if (message.method === undefined) this.#answered(message)
    else if (message.method === 'echo') this.#send({ id: message.id, result: message.params, error: null })
    else this.notifications.emit({ method: message.method, params: message.params ?? [] })
  }

  #answered(message: Message): void {
    const id = Number(message.id)
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (message.error === null || message.error === undefined) pending?.answer.resolve(message.result)
    else pending?.answer.reject(refusal(pending.method, message.error))
  }

  #checkAlive(): void {
    if (this.#silentProbes++ === 0) void this.request('echo', []).catch(() => {})
    else this.#end(new Error('no answer to the inactivity probe'))
  }

  #end(cause: unknown): void {
    clearInterval(this.#probe)
    this.#socket.destroy()
    const error = new OvsdbConnectionError(`the connection to ${this.#remote} has ended`, { cause })
    this.#closed.resolve(error)
    for (const { answer } of this.#pending.values()) answer.reject(error)
    this.#pending.clear()
  }
}

function refusal(method: string, error: unknown): OvsdbError {
  const { error: name, details } = error as { error?: string; details?: string }
  return new OvsdbError(method, name ?? JSON.stringify(error), details)
}
