import { closeSync, read, write } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { describeError } from '../../../base/errors.ts'
import type { ContainerRuntime } from '../runtime/runtime.ts'
import { connectPacketSocket, shutdownSocket } from '../runtime/syscalls.ts'
import { type CommandChannels, exitStatus, failureStatus } from './channels.ts'
import type { ExecRequest } from './exec-session.ts'

/** conmon sends a packet of at most this size: one byte for the stream, then the bytes. */
const packetBytes = 8193
const [stdoutPacket, stderrPacket] = [2, 3]

/** Joins a client to a container's own streams, through conmon, until the container ends or the client leaves. */
export async function runAttach(
  runtime: ContainerRuntime,
  request: Omit<ExecRequest, 'command'>,
  channels: CommandChannels,
): Promise<void> {
  const path = runtime.attachSocketOf(request.containerId)
  // The path is longer than a socket's address may be; through the folder's descriptor it is short.
  const folder = await open(dirname(path), 'r')
  try {
    const fd = connectPacketSocket(`/proc/self/fd/${folder.fd}/attach`)
    connectInput(runtime, request, { fd, channels })
    await forwardPackets(fd, request, channels)
    closeSync(fd)
    await channels.end(exitStatus(0))
  } catch (error) {
    await channels.end(failureStatus(describeError(error)))
  } finally {
    await folder.close()
  }
}

function connectInput(
  runtime: ContainerRuntime,
  request: Omit<ExecRequest, 'command'>,
  { fd, channels }: { fd: number; channels: CommandChannels },
): void {
  const send = promisify(write)
  let tail: Promise<unknown> = Promise.resolve()
  channels.listen({
    onStdin: (bytes) => {
      if (request.hasStdin) tail = tail.then(() => send(fd, bytes)).catch(() => {})
    },
    onStdinEnd: () => {},
    onResize: ({ rows, columns }) => {
      if (request.isTerminal)
        void writeFile(runtime.controlPipeOf(request.containerId), `1 ${rows} ${columns}\n`).catch(() => {})
    },
  })
}

/** Reads block a thread of the pool each; there is at most one for each attached client. */
async function forwardPackets(
  fd: number,
  request: Omit<ExecRequest, 'command'>,
  channels: CommandChannels,
): Promise<void> {
  const receive = promisify(read)
  channels.onClose(() => shutdownSocket(fd))
  for (;;) {
    const packet = await receive(fd, Buffer.alloc(packetBytes), 0, packetBytes, null)
    if (packet.bytesRead === 0) return
    const bytes = packet.buffer.subarray(1, packet.bytesRead)
    if (packet.buffer[0] === stdoutPacket && request.hasStdout) await channels.send('stdout', bytes)
    if (packet.buffer[0] === stderrPacket && request.hasStderr) await channels.send('stderr', bytes)
  }
}
