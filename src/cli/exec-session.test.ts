import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { text as readStream } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { isNotFound, isUnreachable } from '../kube/errors.ts'
import { createTransport } from '../kube/transport.ts'
import { execInContainer } from './exec-session.ts'
import type { CliIo } from './io.ts'

let server: Server | undefined
afterEach(async () => {
  server?.closeAllConnections()
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined))
  server = undefined
})

const path = '/api/v1/namespaces/default/pods/busybox3/exec?command=true'
const success = { status: 'Success' }
const exited = (code: number): object => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
})

interface Run {
  code: Promise<number>
  stdin: PassThrough
  stdout: Promise<string>
  stderr: Promise<string>
}

/** Runs a session against a container that `answer` plays. */
async function run(answer: (socket: WebSocket) => void, options: { hasStdin?: boolean } = {}): Promise<Run> {
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v5.channel.k8s.io' })
  const url = await listen(
    createServer().on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, answer)
    }),
  )
  return start(url, options.hasStdin === true)
}

function start(url: string, hasStdin: boolean): Run {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const io = { env: {}, cwd: '/', stdin, stdout, stderr, setExitCode() {} } as unknown as CliIo
  const transport = createTransport({ server: url, namespace: 'default' })
  const code = execInContainer(io, transport, { path, hasStdin, hasTty: false }).finally(() => {
    stdout.end()
    stderr.end()
  })
  return { code, stdin, stdout: readStream(stdout), stderr: readStream(stderr) }
}

async function listen(http: Server): Promise<string> {
  server = http
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

function send(socket: WebSocket, channel: number, data: string | object): void {
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(text)]))
}

describe('exec', () => {
  test('keeps standard output and error apart and passes the exit code on', async () => {
    const session = await run((socket) => {
      send(socket, 1, 'out')
      send(socket, 2, 'err')
      send(socket, 3, exited(3))
      socket.close(1000)
    })
    expect(await session.code).toBe(3)
    expect(await session.stdout).toBe('out')
    expect(await session.stderr).toBe('err')
  })

  test('sends standard input and says where it ends', async () => {
    const session = await run(
      (socket) => {
        socket.on('message', (frame: Buffer) => {
          if (frame[0] === 0) send(socket, 1, frame.subarray(1).toString())
          if (frame[0] === 255 && frame[1] === 0) {
            send(socket, 3, success)
            socket.close(1000)
          }
        })
      },
      { hasStdin: true },
    )
    session.stdin.end('hello')
    expect(await session.code).toBe(0)
    expect(await session.stdout).toBe('hello')
  })

  test('loses nothing of a large output', async () => {
    const session = await run((socket) => {
      for (let index = 0; index < 64; index++) send(socket, 1, 'x'.repeat(65_536))
      send(socket, 3, success)
      socket.close(1000)
    })
    expect(await session.code).toBe(0)
    expect((await session.stdout).length).toBe(64 * 65_536)
  })

  test('says why a command could not be run', async () => {
    const session = await run((socket) => {
      send(socket, 3, { status: 'Failure', message: 'exec: "frob": not found in $PATH', code: 500 })
      socket.close(1000)
    })
    await expect(session.code).rejects.toThrow('exec: "frob": not found in $PATH')
  })

  test('a connection that ends early is an error, not a success', async () => {
    const session = await run((socket) => socket.terminate())
    await expect(session.code).rejects.toSatisfy(isUnreachable)
  })

  test("a refusal is the API server's own error", async () => {
    const status = { kind: 'Status', code: 404, reason: 'NotFound', message: 'pods "busybox3" not found' }
    const url = await listen(
      createServer().on('upgrade', (_request, socket) => {
        const body = JSON.stringify(status)
        socket.end(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      }),
    )
    const error = await start(url, false).code.catch((caught: unknown) => caught)
    expect(isNotFound(error)).toBe(true)
    expect((error as Error).message).toContain('pods "busybox3" not found')
  })
})
