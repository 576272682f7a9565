import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { withDeadline } from '../../base/clock.ts'

export interface GrpcCall {
  readonly socketPath: string
  /** e.g. /v1.PodResourcesLister/List */
  readonly method: string
  readonly request: Buffer
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** One unary gRPC call over a unix socket. Throws Error with the server's status, DeadlineError, or the socket's error. */
export async function callGrpc(call: GrpcCall): Promise<Buffer> {
  const session = connect('http://localhost', { createConnection: () => connectSocket(call.socketPath) })
  try {
    const what = `an answer of ${call.method} on ${call.socketPath}`
    return await withDeadline(exchange(session, call), { what, timeoutMs: call.timeoutMs, signal: call.signal })
  } finally {
    session.destroy()
  }
}

function exchange(session: ClientHttp2Session, call: GrpcCall): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    session.on('error', reject)
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: call.method,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    collect(stream).then((body) => resolve(unframe(body)), reject)
    stream.end(frame(call.request))
  })
}

/** The status comes in the trailers, or, when there is no body, in the headers. */
function collect(stream: ClientHttp2Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let status: unknown
    let message: unknown
    const note = (headers: Record<string, unknown>): void => {
      status = headers['grpc-status'] ?? status
      message = headers['grpc-message'] ?? message
    }
    stream.on('response', note).on('trailers', note)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
    stream.on('end', () => {
      if (String(status) === '0') resolve(Buffer.concat(chunks))
      else reject(new Error(`gRPC status ${String(status)}: ${decodeURIComponent(String(message ?? ''))}`))
    })
  })
}

/** A message is preceded by a byte "not compressed" and its length in four bytes. */
function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(5)
  header.writeUInt32BE(message.length, 1)
  return Buffer.concat([header, message])
}

function unframe(body: Buffer): Buffer {
  if (body.length < 5 || body[0] !== 0) throw new Error('gRPC answer without an uncompressed message')
  const end = 5 + body.readUInt32BE(1)
  if (end > body.length) throw new Error(`gRPC answer of ${body.length} bytes instead of ${end}`)
  return body.subarray(5, end)
}
