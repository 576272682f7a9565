import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { defer } from '../base/clock.ts'
import { errorCode } from '../base/errors.ts'
import type { Changing } from '../base/observable.ts'
import type { LabStatus } from './status.ts'

/** The supervisor's end: every client is sent the status as a JSON line, at once and after each change. */
export interface ControlServer {
  close(): Promise<void>
}

/** Takes the lab's lock and serves its status. Undefined: another supervisor has the lock. */
export async function serveControl(
  path: string,
  source: Changing & { snapshot(): Promise<LabStatus> },
): Promise<ControlServer | undefined> {
  const clients = new Set<Socket>()
  const server = createServer((socket) => {
    clients.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => clients.delete(socket))
    void send([socket])
  })
  const send = async (sockets: Iterable<Socket>): Promise<void> => {
    const line = `${JSON.stringify(await source.snapshot())}\n`
    for (const socket of sockets) socket.write(line)
  }
  const listening = defer<boolean>()
  server.once('error', (error) => {
    if (errorCode(error) === 'EADDRINUSE') listening.resolve(false)
    else listening.reject(error)
  })
  server.listen(path, () => listening.resolve(true))
  if (!(await listening.promise)) return undefined
  const unsubscribe = source.onChange(() => void send(clients))
  return {
    close: async () => {
      unsubscribe()
      await send(clients)
      for (const socket of clients) socket.end()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** A running supervisor's status, then every change of it; ends when the supervisor does. Undefined: none runs. */
export async function connectControl(path: string): Promise<AsyncIterable<LabStatus> | undefined> {
  const socket = connect(path)
  const connected = defer<boolean>()
  socket.once('connect', () => connected.resolve(true))
  socket.on('error', (error) => {
    if (['ECONNREFUSED', 'ENOENT'].includes(errorCode(error) ?? '')) connected.resolve(false)
    else connected.reject(error)
  })
  return (await connected.promise) ? read(socket) : undefined
}

/** The status of a running lab, once. */
export async function findStatus(path: string): Promise<LabStatus | undefined> {
  const statuses = await connectControl(path)
  if (statuses === undefined) return undefined
  for await (const status of statuses) return status
  return undefined
}

async function* read(socket: Socket): AsyncIterable<LabStatus> {
  try {
    for await (const line of createInterface({ input: socket })) yield JSON.parse(line) as LabStatus
  } finally {
    socket.destroy()
  }
}
