import { createConnection } from 'node:net'
import { systemClock } from '../../../base/clock.ts'
import { backoffMs } from '../../../base/retry.ts'

const version13 = 4
const helloType = 0
const echoRequestType = 2
const echoReplyType = 3
const headerLength = 8

/**
 * Keeps an OpenFlow session to a bridge for one purpose: it ends when ovs-vswitchd ends, and a new one says that the
 * switch has started again, without its flows. Calls back at each session that opens. Ends when the signal aborts.
 */
export async function watchSwitch(socket: string, onSession: () => void, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    const isOpened = await runSession(socket, onSession, signal)
    if (isOpened) failures = 0
    await systemClock.sleep(backoffMs(failures, 20, 2000), signal).catch(() => {})
  }
}

/** Resolves at the end of the session with whether there was one. */
function runSession(path: string, onSession: () => void, signal: AbortSignal): Promise<boolean> {
  const socket = createConnection({ path })
  const abort = (): void => void socket.destroy()
  signal.addEventListener('abort', abort, { once: true })
  let isOpened = false
  let buffered = Buffer.alloc(0)
  socket.once('connect', () => socket.write(header(helloType, 0)))
  socket.on('data', (chunk) => {
    buffered = Buffer.concat([buffered, chunk])
    for (let message = nextMessage(buffered); message !== undefined; message = nextMessage(buffered)) {
      buffered = buffered.subarray(message.length)
      if (message[1] === helloType && !isOpened) {
        isOpened = true
        onSession()
      }
      if (message[1] === echoRequestType) socket.write(reply(message))
    }
  })
  socket.on('error', () => {})
  return new Promise((resolve) => {
    socket.once('close', () => {
      signal.removeEventListener('abort', abort)
      resolve(isOpened)
    })
  })
}

function nextMessage(bytes: Buffer): Buffer | undefined {
  if (bytes.length < headerLength) return undefined
  const length = Math.max(bytes.readUInt16BE(2), headerLength)
  return bytes.length < length ? undefined : bytes.subarray(0, length)
}

function header(type: number, transaction: number): Buffer {
  const bytes = Buffer.alloc(headerLength)
  bytes.writeUInt8(version13, 0)
  bytes.writeUInt8(type, 1)
  bytes.writeUInt16BE(headerLength, 2)
  bytes.writeUInt32BE(transaction, 4)
  return bytes
}

function reply(request: Buffer): Buffer {
  const bytes = Buffer.from(request)
  bytes.writeUInt8(echoReplyType, 1)
  return bytes
}
