import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defer } from '../base/clock.ts'
import { silentLog } from '../base/log.ts'
import { CniError } from './errors.ts'
import type { CniRequest } from './request.ts'
import { type CniServer, type CniServerOptions, serveCni } from './socket.ts'
import { encodeRequest } from './wire.ts'

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

function frame(command = 'ADD', stdin = '{"cniVersion":"0.4.0","name":"n","type":"t"}'): Buffer {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: '/n',
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/bin',
  }
  return encodeRequest({ pluginName: 'twinlane', env, stdin })
}

function begin(bytes: Buffer | string): Socket {
  const socket = connect({ path: socketPath, allowHalfOpen: true })
  socket.write(bytes)
  return socket
}

async function call(bytes: Buffer | string): Promise<{ code: number; json: unknown }> {
  const socket = begin(bytes)
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
})

test('a plugin of another version is told that it will be replaced', async () => {
  await serve(async () => expect.unreachable())
  const { code, json } = await call('twinlane\0CNI_COMMAND=ADD\0\0{}')
  expect({ code, json }).toMatchObject({
    code: 1,
    json: { code: 11, msg: expect.stringMatching(/versions.*tries again/) },
  })
})

test('a request that breaks off is not handled', async () => {
  await serve(async () => expect.unreachable())
  const socket = begin(frame().subarray(0, 40))
  socket.end()
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  expect(Buffer.concat(chunks).toString()).toContain('broke off after 40 bytes')
})

test('a setup whose caller is gone is given up', async () => {
  const started = defer()
  const server = await serve(async (_, signal) => {
    started.resolve()
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  const caller = begin(frame())
  await started.promise
  caller.destroy()
  await vi.waitFor(() => expect(server.load).toMatchObject({ connections: 0, inFlight: { setup: 0 } }))
})

test('a teardown whose caller is gone is finished', async () => {
  const [started, gate, ended] = [defer(), defer(), defer<boolean>()]
  await serve(async (_, signal) => {
    started.resolve()
    await gate.promise
    ended.resolve(signal.aborted)
  })
  const caller = begin(frame('DEL'))
  await started.promise
  caller.destroy()
  await new Promise((resolve) => setImmediate(resolve))
  gate.resolve()
  expect(await ended.promise).toBe(false)
})

test.each([
  ['ADD', 1],
  ['DEL', 4],
])('%s whose caller is gone before its turn is never handled', async (command, turns) => {
  const [started, gate] = [defer(), defer()]
  const seen: string[] = []
  const server = await serve(
    async ({ containerId }) => {
      seen.push(containerId)
      if (seen.length === turns) started.resolve()
      await gate.promise
    },
    { concurrency: 1 },
  )
  const first = Array.from({ length: turns }, () => call(frame(command)))
  await started.promise
  const caller = begin(frame(command))
  await vi.waitFor(() => expect(Math.max(...Object.values(server.load.waiting))).toBe(1))
  caller.destroy()
  await vi.waitFor(() => expect(server.load).toMatchObject({ connections: turns, waiting: { setup: 0, teardown: 0 } }))
  gate.resolve()
  await Promise.all(first)
  expect(seen).toHaveLength(turns)
})

test('what a request waits for before its turn takes none from others', async () => {
  const gate = defer()
  const server = await serve(async ({ command }) => ({ command }), {
    concurrency: 1,
    before: ({ config }) => (config.name === 'late' ? gate.promise : Promise.resolve()),
  })
  const late = [1, 2, 3].map(() => call(frame('ADD', '{"cniVersion":"0.4.0","name":"late","type":"t"}')))
  await vi.waitFor(() => expect(server.load.connections).toBe(3))
  expect(await call(frame())).toEqual({ code: 0, json: { command: 'ADD' } })
  gate.resolve()
  for (const answer of await Promise.all(late)) expect(answer.code).toBe(0)
})

test('what a request waits for in its turn, in a pause, takes none from others either', async () => {
  const gate = defer()
  const handle: CniServerOptions['handle'] = async ({ command, config }, _signal, turn) => {
    if (config.name === 'late') await turn?.pause(() => gate.promise)
    return { command }
  }
  const server = await serve(handle, { concurrency: 1 })
  const late = [1, 2, 3].map(() => call(frame('ADD', '{"cniVersion":"0.4.0","name":"late","type":"t"}')))
  await vi.waitFor(() => expect(server.load.paused).toEqual({ setup: 3, teardown: 0 }))
  expect(await call(frame())).toEqual({ code: 0, json: { command: 'ADD' } })
  gate.resolve()
  for (const answer of await Promise.all(late)) expect(answer.code).toBe(0)
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

test.each([
  ['ADD', 2],
  ['DEL', 8],
])('of %s no more than the allowed number runs at once, and the queue is bounded', async (command, allowed) => {
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
  const calls = Array.from({ length: allowed + 6 }, async () => {
    const answer = await call(frame(command))
    if (answer.code === 1 && ++refused === 3) gate.resolve()
    return answer
  })
  const answers = await Promise.all(calls)
  expect(answers.filter((answer) => answer.code === 0)).toHaveLength(allowed + 3)
  expect(most).toBe(allowed)
})

test('500 requests at once: few run, some wait, the others are refused with the numbers', async () => {
  const gate = defer()
  const full = defer()
  const server = await serve(() => gate.promise, { concurrency: 16, queueLimit: 100 })
  const refusals: unknown[] = []
  const calls = Array.from({ length: 500 }, async () => {
    const { code, json } = await call(frame())
    if (code === 1 && refusals.push(json) === 384) full.resolve()
    return code
  })
  await full.promise
  expect(server.load).toMatchObject({
    connections: 116,
    inFlight: { setup: 16, teardown: 0 },
    waiting: { setup: 100, teardown: 0 },
  })
  expect(refusals[0]).toMatchObject({
    code: 11,
    msg: 'too many ADD and CHECK requests at once (16 of 16 in work, 100 waiting): no more may wait',
  })
  gate.resolve()
  expect((await Promise.all(calls)).filter((code) => code === 0)).toHaveLength(116)
  expect(server.load).toMatchObject({ inFlight: { setup: 0 }, waiting: { setup: 0 } })
})

test('DEL and STATUS are answered while every ADD waits for something', async () => {
  const gate = defer()
  const started = defer()
  await serve(
    async ({ command }) => {
      if (command !== 'ADD') return undefined
      started.resolve()
      await gate.promise
    },
    { concurrency: 1, queueLimit: 1 },
  )
  const adds = [call(frame()), call(frame())]
  await started.promise
  expect((await call(frame('DEL'))).code).toBe(0)
  expect((await call(frame('STATUS', '{"cniVersion":"1.1.0","name":"n","type":"t"}'))).code).toBe(0)
  gate.resolve()
  await Promise.all(adds)
})

test('a request whose turn does not come in time is told to try again', async () => {
  const gate = defer()
  await serve(() => gate.promise, { concurrency: 1, waitMs: 20 })
  const first = call(frame())
  const { json } = await call(frame())
  const late = json ?? (await first).json
  expect(late).toMatchObject({ code: 11, msg: expect.stringContaining('did not come within 0.02 s') })
  gate.resolve()
  await first
})

test('a request that arrives too slowly is refused', async () => {
  await serve(async () => expect.unreachable(), { arrivalMs: 50 })
  const slow = connect({ path: socketPath, allowHalfOpen: true })
  slow.write(frame('ADD', 'x'.repeat(1000)).subarray(0, 20))
  const drip = setInterval(() => slow.write('x'), 5)
  const chunks: Buffer[] = []
  for await (const chunk of slow) chunks.push(chunk as Buffer)
  clearInterval(drip)
  expect(Buffer.concat(chunks).toString()).toContain('timed out after 50 ms waiting for the whole request')
  slow.destroy()
})

test('a request that is too long is refused', async () => {
  await serve(async () => expect.unreachable())
  const long = await call(frame('ADD', 'x'.repeat(6 * 1024 * 1024)))
  expect(long.json).toMatchObject({ code: 6, msg: expect.stringContaining('more than 5242880 bytes') })
})

test('closing lets what is in work end, and refuses what waits', async () => {
  const gate = defer()
  const started = defer()
  const server = await serve(
    async () => {
      started.resolve()
      await gate.promise
      return { cniVersion: '0.4.0' }
    },
    { concurrency: 1 },
  )
  const first = call(frame())
  await started.promise
  const second = call(frame('CHECK'))
  await vi.waitFor(() => expect(server.load.waiting.setup).toBe(1))
  const closed = server.close()
  expect((await second).json).toMatchObject({ code: 11, msg: 'the agent is stopping' })
  gate.resolve()
  expect((await first).code).toBe(0)
  await closed
})

test('closing aborts what is still in work after the grace, and answers it', async () => {
  const started = defer()
  const server = await serve(async (_, signal) => {
    started.resolve()
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  const answer = call(frame())
  await started.promise
  await server.close({ graceMs: 10 })
  expect((await answer).json).toMatchObject({ code: 11, msg: 'the agent is stopping' })
})
