import type { IncomingMessage } from 'node:http'
import { text as readStream } from 'node:stream/consumers'
import { WebSocket } from 'ws'
import { defer } from '../base/clock.ts'
import { KubeError, type KubeStatus, statusError } from '../kube/errors.ts'
import type { Transport } from '../kube/transport.ts'
import type { CliIo } from './io.ts'

export interface ExecRequest {
  /** With its query. */
  readonly path: string
  readonly hasStdin: boolean
  readonly hasTty: boolean
}

/** First byte of every frame of v5.channel.k8s.io. */
const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const

/** Runs a command in a container with our standard streams. Resolves with its exit code. Throws KubeError. */
export async function execInContainer(io: CliIo, transport: Transport, request: ExecRequest): Promise<number> {
  const socket = await createSocket(transport, request.path)
  // A short command's output comes together with the handshake: whoever listens after `open` has missed it.
  const exitCode = finalExitCode(socket, request.path)
  exitCode.catch(() => {})
  socket.on('message', (frame: Buffer) => writeOutput(io, socket, frame))
  try {
    await opened(socket, request.path)
    const disconnect = connectInput(io, socket, request)
    try {
      return await exitCode
    } finally {
      disconnect()
    }
  } finally {
    socket.terminate()
  }
}

async function createSocket({ config, credentials }: Transport, path: string): Promise<WebSocket> {
  const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
  return new WebSocket(`${config.server.replace(/^http/, 'ws')}${path}`, protocols, {
    headers: await credentials(),
    rejectUnauthorized: config.skipTlsVerify !== true,
    handshakeTimeout: 30_000,
    ca: config.ca,
    cert: config.clientCert,
    key: config.clientKey,
    ...(config.tlsServerName === undefined ? {} : { servername: config.tlsServerName }),
  })
}

function opened(socket: WebSocket, path: string): Promise<void> {
  const answer = defer()
  socket.once('open', () => answer.resolve())
  socket.once('error', (cause) => answer.reject(unreachable(`cannot connect: ${cause.message}`, path, cause)))
  socket.once('unexpected-response', (_, response) => void refusal(path, response).then(answer.reject))
  return answer.promise
}

/** Passes standard input and the size of the window on. Gives back what undoes it. */
function connectInput(io: CliIo, socket: WebSocket, request: ExecRequest): () => void {
  const send = (to: number, data: Buffer, then?: () => void): void =>
    socket.send(Buffer.concat([Buffer.of(to), data]), then)
  const onInput = (data: Buffer): void => {
    // One piece at a time: a fast source must not fill our memory when the other end is slow.
    io.stdin.pause()
    send(channel.stdin, data, () => io.stdin.resume())
  }
  const onInputEnd = (): void => {
    // v4 cannot end standard input; there the command goes on waiting, as with old kubectl.
    if (socket.protocol === 'v5.channel.k8s.io') send(channel.close, Buffer.of(channel.stdin))
  }
  const onResize = (): void => {
    const { columns: Width, rows: Height } = io.stdout
    send(channel.resize, Buffer.from(JSON.stringify({ Width, Height })))
  }
  if (request.hasStdin) io.stdin.on('data', onInput).on('end', onInputEnd)
  if (request.hasTty) {
    io.stdin.setRawMode(true)
    io.stdout.on('resize', onResize)
    onResize()
  }
  return () => {
    io.stdin.off('data', onInput).off('end', onInputEnd)
    io.stdout.off('resize', onResize)
    if (request.hasTty) io.stdin.setRawMode(false)
    io.stdin.pause()
  }
}

function writeOutput(io: CliIo, socket: WebSocket, frame: Buffer): void {
  const target = { [channel.stdout]: io.stdout, [channel.stderr]: io.stderr }[frame[0] ?? -1]
  if (target === undefined || target.write(frame.subarray(1))) return
  socket.pause()
  target.once('drain', () => socket.resume())
}

/** From the server's last word, on the status channel. */
function finalExitCode(socket: WebSocket, path: string): Promise<number> {
  const done = defer<number>()
  let status: KubeStatus | undefined
  socket.on('message', (frame: Buffer) => {
    if (frame[0] === channel.status) status = JSON.parse(frame.subarray(1).toString('utf8')) as KubeStatus
  })
  socket.on('error', (cause) => done.reject(unreachable(`the connection broke: ${cause.message}`, path, cause)))
  socket.on('close', (code) => {
    if (status === undefined) done.reject(unreachable(`the connection ended before the command did (${code})`, path))
    else finish(status, path, done)
  })
  return done.promise
}

function finish(
  status: KubeStatus,
  path: string,
  done: { resolve(code: number): void; reject(error: unknown): void },
): void {
  const exitCode = exitCodeOf(status)
  if (exitCode === undefined) done.reject(statusError(title(path), status.code ?? 500, status))
  else done.resolve(exitCode)
}

/** undefined when the command could not be run at all. */
export function exitCodeOf(status: KubeStatus): number | undefined {
  if (status.status === 'Success') return 0
  if (status.reason !== 'NonZeroExitCode') return undefined
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')
  return cause?.message === undefined ? 1 : Number(cause.message)
}

async function refusal(path: string, response: IncomingMessage): Promise<KubeError> {
  const text = await readStream(response).catch(() => '')
  let status: KubeStatus = { message: text.slice(0, 200) || `HTTP ${response.statusCode}` }
  try {
    status = JSON.parse(text) as KubeStatus
  } catch {
    // Not every proxy in between answers with a Status: its text is the message.
  }
  return statusError(title(path), response.statusCode ?? 500, status)
}

function unreachable(problem: string, path: string, cause?: unknown): KubeError {
  return new KubeError(`${title(path)}: ${problem}`, { statusCode: 0, reason: 'Unreachable', cause })
}

function title(path: string): string {
  return `exec ${path.split('?')[0]}`
}
