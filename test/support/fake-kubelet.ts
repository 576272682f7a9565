import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'

export interface FakeKubelet {
  /** Paths with queries, in the order asked for. */
  readonly asked: string[]
  close(): Promise<void>
}

/** What a kubelet stand-in answers on its unix socket, without any containers behind it. */
export async function startFakeKubelet(
  socketPath: string,
  answers: {
    logs: (url: URL, response: ServerResponse) => void
    session: (url: URL, socket: WebSocket) => void
  },
): Promise<FakeKubelet> {
  const asked: string[] = []
  const urlOf = (request: IncomingMessage): URL => {
    asked.push(request.url ?? '')
    return new URL(request.url ?? '/', 'http://kubelet')
  }
  const sessions = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => ['v5.channel.k8s.io', 'v4.channel.k8s.io'].find((name) => offered.has(name)) ?? false,
  })
  const server = createServer((request, response) => answers.logs(urlOf(request), response))
  server.on('upgrade', (request, socket, head) => {
    const url = urlOf(request)
    sessions.handleUpgrade(request, socket, head, (webSocket) => answers.session(url, webSocket))
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    asked,
    close: () =>
      new Promise((resolve) => {
        for (const client of sessions.clients) client.terminate()
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** A frame of the channel protocol: 1 stdout, 2 stderr, 3 the final Status. */
export function frame(channel: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([channel]), Buffer.from(text)])
}

export function channelOf(data: RawData): { channel: number; payload: Buffer } {
  const bytes = data as Buffer
  return { channel: bytes[0] ?? -1, payload: bytes.subarray(1) }
}

/** Ends a session the way a container runtime does: the exit code as a Status, then a normal close. */
export function endSession(socket: WebSocket, exitCode: number): void {
  const causes = [{ reason: 'ExitCode', message: String(exitCode) }]
  const failure = { status: 'Failure', reason: 'NonZeroExitCode', message: 'it failed', details: { causes } }
  socket.send(frame(3, JSON.stringify({ metadata: {}, ...(exitCode === 0 ? { status: 'Success' } : failure) })))
  socket.close(1000)
}
