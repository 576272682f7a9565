import type { WebSocket } from 'ws'
import type { TerminalSize } from '../runtime/syscalls.ts'

/** Channels of Kubernetes' remote command protocol: the first byte of each frame. */
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

/** Subprotocols that are spoken, best first. v5 can also say that standard input has ended. */
export const subprotocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const

export interface InputListener {
  onStdin(bytes: Buffer): void
  onStdinEnd(): void
  onResize(size: TerminalSize): void
}

/** One `kubectl exec` or `attach` as frames on a WebSocket. */
export class CommandChannels {
  readonly #socket: WebSocket

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('error', () => {})
    // Frames that arrive before the process runs must wait for it.
    socket.pause()
  }

  listen(listener: InputListener): void {
    this.#socket.on('message', (data: Buffer) => {
      const bytes = data.subarray(1)
      if (data[0] === channel.stdin && bytes.length > 0) listener.onStdin(bytes)
      else if (data[0] === channel.close && bytes[0] === channel.stdin) listener.onStdinEnd()
      else if (data[0] === channel.resize) noteSize(bytes, listener)
    })
    this.#socket.once('close', () => listener.onStdinEnd())
    this.resume()
  }

  onClose(listener: () => void): void {
    this.#socket.once('close', listener)
  }

  /** Stops reading from the client while the process takes no more. */
  pause(): void {
    if (this.#isOpen) this.#socket.pause()
  }

  resume(): void {
    if (this.#isOpen) this.#socket.resume()
  }

  /** Resolves when the bytes have been handed over, so that a slow client slows the process. */
  send(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
    return this.#send(channel[stream], bytes)
  }

  /** Tells how the command ended, then closes. */
  async end(status: object): Promise<void> {
    await this.#send(channel.error, Buffer.from(JSON.stringify(status)))
    this.resume()
    if (this.#isOpen) this.#socket.close(1000)
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  #send(number: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#isOpen) return resolve()
      this.#socket.send(Buffer.concat([Buffer.from([number]), bytes]), () => resolve())
    })
  }
}

function noteSize(bytes: Buffer, listener: InputListener): void {
  try {
    const { Width, Height } = JSON.parse(bytes.toString()) as { Width?: number; Height?: number }
    if (Width !== undefined && Height !== undefined) listener.onResize({ columns: Width, rows: Height })
  } catch {
    // A size that cannot be read changes nothing.
  }
}

/** The Status object for an exit code, as kubectl reads it from the error channel. */
export function exitStatus(exitCode: number): object {
  const base = { kind: 'Status', apiVersion: 'v1', metadata: {} }
  if (exitCode === 0) return { ...base, status: 'Success' }
  return {
    ...base,
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}

export function failureStatus(message: string): object {
  const base = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' }
  return { ...base, message, reason: 'InternalError', code: 500, details: { causes: [{ message }] } }
}
