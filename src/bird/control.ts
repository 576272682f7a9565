import { connect, type Socket } from 'node:net'
import { defer, withDeadline } from '../base/clock.ts'
import { describeError, errorCode } from '../base/errors.ts'
import { KeyedLock } from '../base/keyed-lock.ts'
import { BirdError } from './errors.ts'
import { type BirdReply, parseReplyLines, type ReplyLine } from './reply.ts'

export { BirdError } from './errors.ts'
export type { BirdReply, ReplyLine } from './reply.ts'

const locks = new KeyedLock()

/**
 * Sends one command to BIRD's control socket and returns the whole reply. Commands to one socket run one after the
 * other. Throws BirdError when BIRD cannot be reached in time or refuses (reply codes 8000 and up).
 */
export function queryBird(
  socketPath: string,
  command: string,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<BirdReply> {
  if (/[\r\n]/.test(command)) return Promise.reject(new BirdError(`"${command}" is more than one command`))
  return locks.run(socketPath, () => converse(socketPath, command, options))
}

async function converse(
  socketPath: string,
  command: string,
  options: { timeoutMs?: number; signal?: AbortSignal },
): Promise<BirdReply> {
  const socket = connect(socketPath)
  try {
    const reply = await withDeadline(exchange(socket, command), {
      what: `BIRD's answer to "${command}" on ${socketPath}`,
      timeoutMs: options.timeoutMs ?? 5000,
      signal: options.signal,
    })
    return refused(reply, command) ?? reply
  } catch (error) {
    throw asBirdError(error, socketPath)
  } finally {
    socket.destroy()
  }
}

/** The daemon greets first; then one command, one reply. */
function exchange(socket: Socket, command: string): Promise<BirdReply> {
  const done = defer<BirdReply>()
  let received = ''
  let isGreeted = false
  socket.setEncoding('utf8')
  socket.on('error', (error) => done.reject(error))
  socket.on('close', () => done.reject(new BirdError('BIRD closed the connection before its answer was complete')))
  socket.on('data', (chunk: string) => {
    received += chunk
    const parsed = parseReplyLines(received)
    if (!parsed.isComplete) return
    received = parsed.rest
    if (isGreeted) done.resolve({ lines: parsed.lines, text: textOf(parsed.lines) })
    else {
      isGreeted = true
      socket.write(`${command}\n`)
    }
  })
  return done.promise
}

function textOf(lines: readonly ReplyLine[]): string {
  return lines.map((line) => line.text).join('\n')
}

function refused(reply: BirdReply, command: string): undefined {
  const problem = reply.lines.find((line) => line.code >= 8000)
  if (problem !== undefined) {
    throw new BirdError(`BIRD refused "${command}": ${problem.text.trim()}`, { code: problem.code })
  }
  return undefined
}

function asBirdError(error: unknown, socketPath: string): BirdError {
  if (error instanceof BirdError) return error
  const code = errorCode(error)
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new BirdError(`BIRD does not answer on ${socketPath} (${code})`, { cause: error, fix: 'start bird' })
  }
  return new BirdError(describeError(error), { cause: error })
}
