import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { withDeadline } from '../base/clock.ts'
import { errorCode, TwinlaneError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { CniError, cniErrorCode } from './errors.ts'
import { formatError } from './format-error.ts'
import { parseRequest } from './parse-request.ts'
import type { CniCommand, CniRequest } from './request.ts'
import { RequestLane, type Turn } from './request-lane.ts'
import { newestVersion } from './versions.ts'
import { encodeAnswer, readRequest, signalOfPeer } from './wire.ts'

export interface CniServerOptions {
  readonly socketPath: string
  /**
   * Answers one execution: what goes to standard output as JSON, or undefined for nothing. A rejection becomes an error
   * object. The signal aborts when the server stops, and when the caller of a setup is gone. `turn` is that of a request
   * which has one.
   */
  readonly handle: (request: CniRequest, signal: AbortSignal, turn?: Turn) => Promise<unknown>
  /**
   * Whether a request is one of a plugin that a request in work has executed. It takes no turn: whoever waits for it
   * holds one already, and a turn that waits for a turn never ends. @default none is
   */
  readonly isNested?: (request: CniRequest) => boolean
  /** What a request waits for before it takes a turn that others could use. */
  readonly before?: (request: CniRequest, signal: AbortSignal) => Promise<void>
  /** Requests that set up, ADD and CHECK, worked on at once; of those that tear down, four times as many. @default 16 */
  readonly concurrency?: number
  /** Requests of a lane that may wait for their turn; more are told to try again. @default 512 */
  readonly queueLimit?: number
  /** Longest wait for a turn, and for a request to arrive whole. @default 60000 and 10000 */
  readonly waitMs?: number
  readonly arrivalMs?: number
  readonly log: Log
}

export interface CniServer {
  readonly load: CniLoad
  /**
   * Takes no more requests, refuses those that wait with code 11, lets those in work go on for `graceMs` and then aborts
   * them. Resolves when all have been answered. @default graceMs 10000
   */
  close(options?: { graceMs?: number }): Promise<void>
}

/** How busy the server is. */
export interface CniLoad {
  readonly connections: number
  /** Requests that wait for something before they take their turn. */
  readonly beforeTurn: number
  readonly inFlight: Readonly<Record<LaneName, number>>
  readonly waiting: Readonly<Record<LaneName, number>>
  /** Begun, and waiting for what is not done here. */
  readonly paused: Readonly<Record<LaneName, number>>
}

/** What sets up and what tears down take turns apart: a DEL never waits for ADDs that wait for something themselves. */
export type LaneName = 'setup' | 'teardown'

/** STATUS and VERSION are not in a lane: they are answered at once. */
const laneOf: Partial<Record<CniCommand, LaneName>> = {
  ADD: 'setup',
  CHECK: 'setup',
  DEL: 'teardown',
  GC: 'teardown',
}

interface Serving {
  readonly options: CniServerOptions
  readonly lanes: Readonly<Record<LaneName, RequestLane>>
  /** Those that wait for something before their turn. */
  readonly early: Set<CniRequest>
  /** No more is begun. */
  readonly closing: AbortSignal
  /** What has begun ends. */
  readonly stopping: AbortSignal
}

/**
 * Serves the shim's wire on a unix socket that only root may use. A socket left by a dead agent is replaced; a living
 * one is an error.
 */
export async function serveCni(options: CniServerOptions): Promise<CniServer> {
  await refuseSecondServer(options.socketPath)
  const [closing, stopping] = [new AbortController(), new AbortController()]
  const concurrency = options.concurrency ?? 16
  const lanes = {
    setup: createLane('ADD and CHECK', { ...options, concurrency }),
    teardown: createLane('DEL and GC', { ...options, concurrency: teardownFactor * concurrency }),
  }
  const serving = { options, lanes, early: new Set<CniRequest>(), closing: closing.signal, stopping: stopping.signal }
  const underWay = new Set<Promise<void>>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const work = serveOne(socket, serving).finally(() => underWay.delete(work))
    underWay.add(work)
  })
  // Above what may be answered at all: what is read in meanwhile is bounded too.
  server.maxConnections = 2 * ((options.concurrency ?? 16) + (options.queueLimit ?? 512)) + 64
  await listen(server, options.socketPath)
  return {
    get load() {
      return loadOf(serving, underWay.size)
    },
    close: async ({ graceMs = 10_000 } = {}) => {
      await rm(options.socketPath, { force: true })
      server.close()
      const reason = new CniError(cniErrorCode.tryAgainLater, 'the agent is stopping')
      closing.abort(reason)
      const answered = Promise.allSettled(underWay).then(() => {})
      await withDeadline(answered, { what: 'requests in work', timeoutMs: graceMs }).catch(() => stopping.abort(reason))
      await answered
    },
  }
}

/** A DEL holds little and does little but wait, for the kernel (RCU) and for a write that it shares with others. */
const teardownFactor = 4

function createLane(name: string, options: CniServerOptions & { concurrency: number }): RequestLane {
  const { concurrency, queueLimit = 512, waitMs = 60_000 } = options
  return new RequestLane({ name, concurrency, waitingLimit: queueLimit, waitMs })
}

function loadOf({ lanes: { setup, teardown }, early }: Serving, connections: number): CniLoad {
  return {
    connections,
    beforeTurn: early.size,
    inFlight: { setup: setup.inFlight, teardown: teardown.inFlight },
    waiting: { setup: setup.waiting, teardown: teardown.waiting },
    paused: { setup: setup.paused, teardown: teardown.paused },
  }
}

async function serveOne(socket: Socket, serving: Serving): Promise<void> {
  // The shim may be gone; the attachment is then settled by the runtime's DEL.
  socket.on('error', (error) => serving.options.log.debug({ error }, 'a CNI caller went away'))
  const answer = await answerTo(socket, serving)
  if (socket.closed) return
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    socket.end(answer, () => socket.destroy())
  })
}

async function answerTo(socket: Socket, serving: Serving): Promise<Buffer> {
  let stdin = ''
  try {
    const raw = await withDeadline(readRequest(socket), {
      what: 'the whole request of the CNI plugin',
      timeoutMs: serving.options.arrivalMs ?? 10_000,
    })
    stdin = raw.stdin
    return encodeAnswer(0, await takeTurn(parseRequest(raw), serving, signalOfPeer(socket)))
  } catch (error) {
    return encodeAnswer(1, formatError(error, versionOf(stdin)))
  }
}

/** Whose caller is gone does not get its turn. */
async function takeTurn(request: CniRequest, serving: Serving, gone: AbortSignal): Promise<unknown> {
  const { options, lanes, closing, early } = serving
  closing.throwIfAborted()
  const waiting = AbortSignal.any([closing, gone])
  if (options.before !== undefined) {
    early.add(request)
    await options.before(request, waiting).finally(() => early.delete(request))
  }
  const lane = options.isNested?.(request) === true ? undefined : laneOf[request.command]
  const work = (turn?: Turn): Promise<unknown> => options.handle(request, signalFor(request, serving, gone), turn)
  return lane === undefined ? await work() : await lanes[lane].run(work, waiting)
}

/** A teardown that has begun is finished, a setup that nobody waits for any more is not. */
function signalFor({ command }: CniRequest, { stopping }: Serving, gone: AbortSignal): AbortSignal {
  return laneOf[command] === 'teardown' ? stopping : AbortSignal.any([stopping, gone])
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
