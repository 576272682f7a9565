import type { Socket } from 'node:net'
import { CniError, cniErrorCode } from './errors.ts'
import type { RawRequest } from './parse-request.ts'

/*
 * The shim's wire (shim/twinlane.c). Request: the mark, the length of what follows (4 bytes, the highest first), then
 * `<name it was executed under>\0 <CNI_X=value>\0 … \0 <standard input>`. The shim keeps its end open until it has the
 * answer: a request that has ended by then has lost its caller. Answer: one byte exit code, then the text for standard
 * output.
 */
const mark = Buffer.from('cni1')
const headerBytes = mark.length + 4
const requestLimitBytes = 5 * 1024 * 1024

/** A whole frame for a request. */
export function encodeRequest({ pluginName, env, stdin }: RawRequest): Buffer {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}\0`)
  const body = Buffer.from(`${pluginName}\0${variables.join('')}\0${stdin}`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([mark, length, body])
}

/** Resolves with the request. Throws CniError for anything else, also when the peer breaks off. */
export function readRequest(socket: Socket): Promise<RawRequest> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    let wanted: number | undefined
    const take = (chunk: Buffer): void => {
      chunks.push(chunk)
      size += chunk.length
      if (wanted === undefined && size >= headerBytes) wanted = headerBytes + readLength(Buffer.concat(chunks))
      if (wanted === undefined || size < wanted) return
      settle()
      resolve(decodeBody(Buffer.concat(chunks).subarray(headerBytes, wanted)))
    }
    const onData = (chunk: Buffer): void => {
      try {
        take(chunk)
      } catch (error) {
        settle()
        socket.pause()
        reject(error)
      }
    }
    const onEnd = (): void => {
      settle()
      reject(new CniError(cniErrorCode.decodingFailure, `the request broke off after ${size} bytes`))
    }
    const settle = (): void => {
      socket.off('data', onData)
      socket.off('end', onEnd)
      socket.off('close', onEnd)
    }
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('close', onEnd)
  })
}

/** Aborts when the peer is gone. Call it when the request has been read; what it sends afterwards is dropped. */
export function signalOfPeer(socket: Socket): AbortSignal {
  const gone = new AbortController()
  const onGone = (): void => gone.abort(new CniError(cniErrorCode.tryAgainLater, 'the CNI plugin that asked is gone'))
  socket.once('end', onGone)
  socket.once('close', onGone)
  socket.resume()
  return gone.signal
}

export function encodeAnswer(exitCode: number, body: unknown): Buffer {
  const text = body === undefined ? '' : `${JSON.stringify(body)}\n`
  return Buffer.concat([Buffer.of(exitCode), Buffer.from(text)])
}

/** Throws CniError. */
function readLength(header: Buffer): number {
  if (!header.subarray(0, mark.length).equals(mark)) {
    throw new CniError(cniErrorCode.tryAgainLater, 'the CNI plugin and the agent are of different versions', {
      fix: 'The agent replaces the plugin when it starts; the runtime then tries again.',
    })
  }
  const length = header.readUInt32BE(mark.length)
  if (length <= requestLimitBytes) return length
  throw new CniError(cniErrorCode.decodingFailure, `the request has more than ${requestLimitBytes} bytes`)
}

function decodeBody(body: Buffer): RawRequest {
  const records: string[] = []
  let at = 0
  for (;;) {
    const end = body.indexOf(0, at)
    if (end < 0 || end === at) break
    records.push(body.toString('utf8', at, end))
    at = end + 1
  }
  const [pluginName = '', ...variables] = records
  const split = variables.map((entry): [string, string] => [
    entry.slice(0, entry.indexOf('=')),
    entry.slice(entry.indexOf('=') + 1),
  ])
  return { pluginName, env: Object.fromEntries(split), stdin: body.toString('utf8', at + 1) }
}
