import { createServer, type Server } from 'node:net'

/** A BIRD's control socket that says yes to everything. */
export async function serveQuietBird(path: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.write('0001 BIRD 2.0.12 ready.\n')
    socket.on('data', () => socket.write('0003 Reconfigured\n'))
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return server
}
