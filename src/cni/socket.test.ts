import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { defer } from '../base/clock.ts'
import { silentLog } from '../base/log.ts'
import { CniError } from './errors.ts'
import type { CniRequest } from './request.ts'
import { type CniServer, type CniServerOptions, serveCni } from './socket.ts'

let folder: string
let socketPath: string
const servers: CniServer[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cni-socket-'))
  socketPath = join(folder, 'run', 'cni.sock')
})

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
  await rm(folder, { recursive: true })
})

async function serve(handle: CniServerOptions['handle'], options: Partial<CniServerOptions> = {}): Promise<CniServer> {
  const server = await serveCni({ socketPath, handle, log: silentLog, ...options })
  servers.push(server)
  return server
}

function frame(command = 'ADD', stdin = '{"cniVersion":"0.4.0","name":"n","type":"t"}'): string {
  const env = [`CNI_COMMAND=${command}`, 'CNI_CONTAINERID=c1', 'CNI_NETNS=/n', 'CNI_IFNAME=eth0', 'CNI_PATH=/bin']
  return ['twinlane', ...env, '', stdin].join('\0')
}

async function call(text: string): Promise<{ code: number; json: unknown }> {
  const socket = connect({ path: socketPath, allowHalfOpen: true })
  socket.end(text)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  const answer = Buffer.concat(chunks)
  const body = answer.toString('utf8', 1)
  return { code: answer[0] ?? -1, json: body === '' ? undefined : JSON.parse(body) }
}

test('a request is parsed, handled and answered', async () => {
  const seen: CniRequest[] = []
  await serve(async (request) => {
    seen.push(request)
    return { cniVersion: '0.4.0', ips: [] }
  })
  expect(await call(frame())).toEqual({ code: 0, json: { cniVersion: '0.4.0', ips: [] } })
  expect(seen[0]).toMatchObject({ command: 'ADD', pluginName: 'twinlane', containerId: 'c1', config: { name: 'n' } })
})

test('no answer is an empty answer with exit code 0', async () => {
  await serve(async () => undefined)
  expect(await call(frame('DEL'))).toEqual({ code: 0, json: undefined })
})

test('a failure is an error object in the version of the caller', async () => {
  await serve(async () => {
    throw new CniError(11, 'pool is full', { fix: 'Enlarge it.' })
  })
  const json = { cniVersion: '0.4.0', code: 11, msg: 'pool is full. Enlarge it.' }
  expect(await call(frame())).toEqual({ code: 1, json })
})

test('an unusable request is refused and not handled', async () => {
  await serve(async () => expect.unreachable())
  expect((await call(frame('NOPE'))).json).toMatchObject({ code: 4, cniVersion: '0.4.0' })
  expect((await call(frame('ADD', '{'))).json).toMatchObject({ code: 6, cniVersion: '1.1.0' })
  expect((await call('')).json).toMatchObject({ code: 4 })
})

test('only root may use the socket', async () => {
  await serve(async () => undefined)
  expect((await stat(socketPath)).mode & 0o777).toBe(0o600)
})

test('the socket of a dead agent is replaced, that of a living one is not', async () => {
  const server = await serve(async () => undefined)
  await expect(serve(async () => undefined)).rejects.toThrow('another agent serves')
  await server.close()
  await writeFile(socketPath, '')
  await serve(async () => undefined)
  expect((await call(frame('DEL'))).code).toBe(0)
})

test('a socket that nobody listens on is replaced', async () => {
  await serve(async () => undefined).then((server) => server.close())
  const dead = createServer()
  await new Promise<void>((resolve) => dead.listen(`${socketPath}.x`, resolve))
  await import('node:fs/promises').then((fs) => fs.link(`${socketPath}.x`, socketPath))
  await new Promise<void>((resolve) => dead.close(() => resolve()))
  await serve(async () => undefined)
  expect((await call(frame('DEL'))).code).toBe(0)
})

test('no more than the allowed number runs at once, and the queue is bounded', async () => {
  const gate = defer()
  let running = 0
  let most = 0
  await serve(
    async () => {
      most = Math.max(most, ++running)
      await gate.promise
      running--
    },
    { concurrency: 2, queueLimit: 3 },
  )
  let refused = 0
  const calls = Array.from({ length: 8 }, async () => {
    const answer = await call(frame('DEL'))
    if (answer.code === 1 && ++refused === 3) gate.resolve()
    return answer
  })
  const answers = await Promise.all(calls)
  expect(answers.filter((answer) => answer.code === 0)).toHaveLength(5)
  expect(most).toBe(2)
})

test('closing aborts what is under way and still answers it', async () => {
  const started = defer()
  const server = await serve(async (_, signal) => {
    started.resolve()
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  const answer = call(frame())
  await started.promise
  await server.close()
  expect((await answer).json).toMatchObject({ code: 11, msg: 'the agent is stopping' })
})
