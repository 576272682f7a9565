import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { ReadStream } from 'node:tty'
import { describeError } from '../../../base/errors.ts'
import type { OciProcess } from '../runtime/oci-spec.ts'
import type { ChildProcess, ContainerRuntime } from '../runtime/runtime.ts'
import { openPipe, openPty, resizePty, type TerminalSize } from '../runtime/syscalls.ts'
import { type CommandChannels, exitStatus, failureStatus } from './channels.ts'

export interface ExecRequest {
  readonly containerId: string
  readonly command: readonly string[]
  readonly hasStdin: boolean
  readonly hasStdout: boolean
  readonly hasStderr: boolean
  readonly isTerminal: boolean
}

/** Where the process' streams are on this side. */
interface Ends {
  readonly stdin?: Writable | undefined
  readonly stdout: Readable
  readonly stderr?: Readable | undefined
  resize(size: TerminalSize): void
}

const initialSize: TerminalSize = { columns: 80, rows: 24 }

/** Runs a command in a container, joined to the client's channels, to its end. Tells every failure to the client. */
export async function runExec(
  runtime: ContainerRuntime,
  request: ExecRequest,
  channels: CommandChannels,
): Promise<void> {
  try {
    const process = await buildProcess(runtime, request)
    const started = request.isTerminal
      ? await startOnTerminal(runtime, request, process)
      : await startOnPipes(runtime, request, process)
    const ended = exitCodeOf(started.child)
    connectInput(started.ends, channels)
    await Promise.all([
      forward(started.ends.stdout, (bytes) => (request.hasStdout ? channels.send('stdout', bytes) : undefined)),
      forward(started.ends.stderr, (bytes) => (request.hasStderr ? channels.send('stderr', bytes) : undefined)),
    ])
    await channels.end(exitStatus(await ended))
  } catch (error) {
    await channels.end(failureStatus(describeError(error)))
  }
}

async function buildProcess(runtime: ContainerRuntime, request: ExecRequest): Promise<OciProcess> {
  const base = await runtime.readProcess(request.containerId)
  const env = request.isTerminal ? [...base.env, 'TERM=xterm'] : base.env
  return { ...base, env, args: request.command, terminal: request.isTerminal }
}

interface Started {
  child: ChildProcess
  ends: Ends
}

async function startOnPipes(runtime: ContainerRuntime, request: ExecRequest, process: OciProcess): Promise<Started> {
  const [input, output, errors] = [request.hasStdin ? openPipe() : undefined, openPipe(), openPipe()]
  const stdio = [input?.readFd ?? 'ignore', output.writeFd, errors.writeFd] as const
  try {
    const child = await runtime.spawn(request.containerId, process, [...stdio])
    const stdin = input && new Socket({ fd: input.writeFd, readable: false, writable: true })
    const [stdout, stderr] = [output, errors].map(({ readFd }) => new Socket({ fd: readFd, writable: false }))
    return { child, ends: { stdin, stdout: stdout as Socket, stderr, resize: () => {} } }
  } finally {
    for (const fd of stdio) if (typeof fd === 'number') closeSync(fd)
  }
}

async function startOnTerminal(runtime: ContainerRuntime, request: ExecRequest, process: OciProcess): Promise<Started> {
  const { masterFd, slaveFd } = openPty(initialSize)
  try {
    const child = await runtime.spawn(request.containerId, process, [slaveFd, slaveFd, slaveFd])
    const terminal = new ReadStream(masterFd)
    const resize = (size: TerminalSize): void => {
      if (!terminal.destroyed) resizePty(masterFd, size)
    }
    return { child, ends: { stdin: terminal, stdout: terminal, resize } }
  } finally {
    closeSync(slaveFd)
  }
}

function connectInput(ends: Ends, channels: CommandChannels): void {
  const { stdin } = ends
  let hasEnded = stdin === undefined
  const finish = (): void => {
    hasEnded = true
    channels.resume()
  }
  // A process that reads no more is no failure of the session.
  stdin?.on('error', finish)
  stdin?.on('drain', () => channels.resume())
  channels.listen({
    onStdin: (bytes) => {
      if (!hasEnded && stdin?.write(bytes) === false) channels.pause()
    },
    onStdinEnd: () => {
      if (!hasEnded) stdin?.end()
      hasEnded = true
    },
    onResize: (size) => ends.resize(size),
  })
  channels.onClose(() => stdin?.destroy())
}

async function forward(
  stream: Readable | undefined,
  send: (bytes: Buffer) => Promise<void> | undefined,
): Promise<void> {
  if (stream === undefined) return
  try {
    for await (const bytes of stream) await send(bytes as Buffer)
  } catch {
    // The master of a terminal whose last process has ended answers EIO: that is its end.
  }
}

function exitCodeOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 137))
  })
}
