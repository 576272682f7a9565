import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { CniError } from '../../src/cni/errors.ts'
import type { CniRequest } from '../../src/cni/request.ts'
import { type CniServer, type CniServerOptions, serveCni } from '../../src/cni/socket.ts'
import { buildShim, runCni } from '../support/cni.ts'

let folder: string
let shim: string
let socketPath: string
let server: CniServer | undefined
let rawServer: Server | undefined

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shim-'))
  shim = await buildShim(folder)
  socketPath = join(folder, 'cni.sock')
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(async () => {
  await server?.close()
  server = undefined
  await new Promise<void>((resolve) => (rawServer === undefined ? resolve() : rawServer.close(() => resolve())))
  rawServer = undefined
})

const config = { cniVersion: '0.4.0', name: 'n', type: 'twinlane' }

function env(command: string): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: '/run/netns/x',
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'K8S_POD_NAME=web',
    TWINLANE_SOCKET: socketPath,
  }
}

async function serve(handle: CniServerOptions['handle']): Promise<void> {
  server = await serveCni({ socketPath, handle, log: silentLog })
}

/** A server that does as it likes with the connection. */
async function serveRaw(onConnection: (socket: Socket) => void): Promise<void> {
  rawServer = createServer({ allowHalfOpen: true }, onConnection)
  await new Promise<void>((resolve) => rawServer?.listen(socketPath, resolve))
}

describe('the shim', () => {
  test('hands over its name, the environment and standard input, and prints the answer', async () => {
    const seen: CniRequest[] = []
    await serve(async (request) => {
      seen.push(request)
      return { ok: 'ü"\n' }
    })
    expect(await runCni(shim, env('ADD'), config)).toEqual({ code: 0, json: { ok: 'ü"\n' } })
    expect(seen[0]).toMatchObject({
      command: 'ADD',
      pluginName: 'twinlane-shim',
      netns: '/run/netns/x',
      args: { K8S_POD_NAME: 'web' },
      path: ['/usr/lib/cni'],
      config,
    })
  })

  test('ends with the exit code and the error object of the agent', async () => {
    await serve(async () => {
      throw new CniError(11, 'later')
    })
    expect(await runCni(shim, env('DEL'), config)).toEqual({
      code: 1,
      json: { cniVersion: '0.4.0', code: 11, msg: 'later' },
    })
  })

  test('carries large configurations and answers', async () => {
    await serve(async (request) => ({ echo: request.config.filler }))
    const filler = 'x'.repeat(3 * 1024 * 1024)
    const { json } = await runCni(shim, env('ADD'), { ...config, filler: filler.slice(0, 500_000) })
    expect(json?.echo).toHaveLength(500_000)
    const tooLarge = await runCni(shim, env('ADD'), { ...config, filler: filler.repeat(2) })
    expect(tooLarge).toMatchObject({ code: 1, json: { code: 6 } })
  })

  test('serves a hundred calls at once', async () => {
    await serve(async (request) => ({ id: request.containerId }))
    const calls = Array.from({ length: 100 }, (_, index) =>
      runCni(shim, { ...env('DEL'), CNI_CONTAINERID: `c${index}` }, config),
    )
    const ids = (await Promise.all(calls)).map(({ json }) => json?.id)
    expect(ids).toEqual(calls.map((_, index) => `c${index}`))
  })

  test.each(['ADD', 'DEL', 'CHECK', 'STATUS', 'GC'])(
    'without an agent %s fails, naming the socket and the fix',
    async (command) => {
      const { code, json } = await runCni(shim, env(command), config)
      expect(code).toBe(1)
      expect(json).toMatchObject({ cniVersion: '0.4.0', code: 11 })
      expect(json?.msg).toContain(socketPath)
      expect(json?.msg).toContain('Start the agent')
    },
  )

  test('an agent that dies before it answers is told apart, and is no success', async () => {
    await serveRaw((socket) => socket.destroy())
    const { code, json } = await runCni(shim, env('DEL'), config)
    expect(code).toBe(1)
    expect(json?.msg).toContain('ended before it answered')
  })

  test('an agent that answers before it has read everything is heard', async () => {
    await serveRaw((socket) => {
      socket.on('error', () => {})
      socket.end(Buffer.from('\x01{"code":7}'), () => socket.destroy())
    })
    const filler = 'x'.repeat(1_000_000)
    expect(await runCni(shim, env('ADD'), { ...config, filler })).toEqual({ code: 1, json: { code: 7 } })
  })

  test('answers VERSION by itself, in the version of the question', async () => {
    const nested = { delegates: [{ cniVersion: '0.3.1' }], text: '"cniVersion":"9"{[', ...config }
    expect(await runCni(shim, env('VERSION'), nested)).toEqual({
      code: 0,
      json: {
        cniVersion: '0.4.0',
        supportedVersions: ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
      },
    })
  })

  test.each([
    '',
    '{',
    '"',
    '"cniVersion"',
    '{"cniVersion"',
    '{"cniVersion":',
    '{"cniVersion":"',
    '{"cniVersion":7}',
    '\\',
    '{"a":"\\',
  ])('says 1.1.0 when the configuration is %j', async (text) => {
    expect((await runCni(shim, env('DEL'), text)).json?.cniVersion).toBe('1.1.0')
  })

  test('without a command it says what it is and succeeds', async () => {
    const { stdout, stderr, status } = spawnSync(shim, [], { env: {}, encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stdout).toBe('')
    expect(stderr).toContain('CNI plugin of Twinlane')
    expect(stderr).toContain('/run/twinlane/cni.sock')
  })

  test('a caller that goes away does not trouble the agent', async () => {
    let calls = 0
    await serve(async () => {
      calls++
      await new Promise((resolve) => setImmediate(resolve))
      return {}
    })
    const child = execFile(shim, [], { env: env('ADD') })
    child.stdin?.end(JSON.stringify(config))
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    expect((await runCni(shim, env('DEL'), config)).code).toBe(0)
    expect(calls).toBeGreaterThanOrEqual(1)
  })
})
