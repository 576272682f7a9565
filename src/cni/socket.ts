import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { errorCode, TwinlaneError } from '../base/errors.ts'
import { Semaphore } from '../base/keyed-lock.ts'
import type { Log } from '../base/log.ts'
import { CniError, cniErrorCode } from './errors.ts'
import { formatError } from './format-error.ts'
import { parseRequest, type RawRequest } from './parse-request.ts'
import type { CniRequest } from './request.ts'
import { newestVersion } from './versions.ts'

export interface CniServerOptions {
  readonly socketPath: string
  /** Answers one execution: what goes to standard output as JSON, or undefined for nothing. A rejection becomes an error object. */
  readonly handle: (request: CniRequest, signal: AbortSignal) => Promise<unknown>
  /** Requests worked on at once. @default 16 */
  readonly concurrency?: number
  /** Requests that may wait for their turn; more are told to try again. @default 512 */
  readonly queueLimit?: number
  readonly log: Log
}

export interface CniServer {
  /** Takes no more requests and resolves when those under way have been answered. */
  close(): Promise<void>
}

const requestLimitBytes = 5 * 1024 * 1024
const requestTimeoutMs = 10_000

/**
 * Serves the shim's wire on a unix socket that only root may use. A socket left by a dead agent is replaced; a living
 * one is an error.
 */
export async function serveCni(options: CniServerOptions): Promise<CniServer> {
  await refuseSecondServer(options.socketPath)
  const stopping = new AbortController()
  const turns = new Semaphore(options.concurrency ?? 16)
  const underWay = new Set<Promise<void>>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const work = serveOne(socket, options, turns, stopping.signal).finally(() => underWay.delete(work))
    underWay.add(work)
  })
  await listen(server, options.socketPath)
  return {
    close: async () => {
      await rm(options.socketPath, { force: true })
      server.close()
      stopping.abort(new CniError(cniErrorCode.tryAgainLater, 'the agent is stopping'))
      await Promise.allSettled(underWay)
    },
  }
}

async function serveOne(
  socket: Socket,
  options: CniServerOptions,
  turns: Semaphore,
  signal: AbortSignal,
): Promise<void> {
  // The shim may be gone; the attachment is then settled by the runtime's DEL.
  socket.on('error', (error) => options.log.debug({ error }, 'a CNI caller went away'))
  const text = await readRequest(socket)
  if (text === undefined) return void socket.destroy()
  const answer = await answerTo(decodeFrame(text), options, turns, signal)
  await new Promise<void>((resolve) => socket.end(answer, resolve))
}

async function answerTo(
  raw: RawRequest,
  options: CniServerOptions,
  turns: Semaphore,
  signal: AbortSignal,
): Promise<Buffer> {
  try {
    const request = parseRequest(raw)
    if (turns.waiting >= (options.queueLimit ?? 512)) {
      throw new CniError(cniErrorCode.tryAgainLater, `${turns.waiting} requests are waiting already`)
    }
    return encodeAnswer(0, await turns.run(() => options.handle(request, signal)))
  } catch (error) {
    return encodeAnswer(1, formatError(error, versionOf(raw.stdin)))
  }
}

/** `<name>\0<CNI_X=value>\0…\0<standard input>`; see shim/twinlane.c. */
function decodeFrame(frame: Buffer): RawRequest {
  const records: string[] = []
  let at = 0
  for (;;) {
    const end = frame.indexOf(0, at)
    if (end < 0 || end === at) break
    records.push(frame.toString('utf8', at, end))
    at = end + 1
  }
  const [pluginName = '', ...variables] = records
  const split = variables.map((entry): [string, string] => [
    entry.slice(0, entry.indexOf('=')),
    entry.slice(entry.indexOf('=') + 1),
  ])
  return { pluginName, env: Object.fromEntries(split), stdin: frame.toString('utf8', at + 1) }
}

function encodeAnswer(exitCode: number, body: unknown): Buffer {
  const text = body === undefined ? '' : `${JSON.stringify(body)}\n`
  return Buffer.concat([Buffer.of(exitCode), Buffer.from(text)])
}

/** The version to answer in, also when the rest of the configuration is unusable. */
function versionOf(stdin: string): string {
  try {
    const version: unknown = JSON.parse(stdin)?.cniVersion
    return typeof version === 'string' ? version : newestVersion
  } catch {
    return newestVersion
  }
}

/** Everything until the half-close; undefined when the peer breaks off, is too slow or sends too much. */
function readRequest(socket: Socket): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    socket.setTimeout(requestTimeoutMs, () => resolve(undefined))
    socket.on('data', (chunk) => {
      size += chunk.length
      if (size > requestLimitBytes) resolve(undefined)
      else chunks.push(Buffer.from(chunk))
    })
    socket.once('end', () => {
      socket.setTimeout(0)
      resolve(Buffer.concat(chunks))
    })
    socket.once('close', () => resolve(undefined))
  })
}

/** Binds beside, sets the mode, then renames: nobody sees the socket before it has its mode. */
async function listen(server: Server, path: string): Promise<void> {
  const temporary = `${path}.new`
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  await rm(temporary, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new TwinlaneError(`cannot listen on ${path}`, { fix: 'Run as root; the path may have 100 bytes.', cause }),
      ),
    )
    server.listen(temporary, resolve)
  })
  await chmod(temporary, 0o600)
  await rename(temporary, path)
}

async function refuseSecondServer(path: string): Promise<void> {
  const isAlive = await new Promise<boolean>((resolve, reject) => {
    const probe = connect(path, () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error) => {
      const code = errorCode(error) ?? ''
      if (['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(code)) resolve(false)
      else reject(error)
    })
  })
  if (isAlive) throw new TwinlaneError(`another agent serves ${path}`, { fix: 'Stop it first.' })
}
