import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { installCni } from '../../src/agent/install-cni.ts'
import type { Lifecycle } from '../../src/base/lifecycle.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import {
  createTestAgent,
  createTestKube,
  makeTestFolder,
  removeTestFolder,
  testDefinition,
  testPod,
} from '../support/agent.ts'
import { buildShim, type CniOutcome, runCni } from '../support/cni.ts'
import { ipJson, makeNetns, removeNetns } from '../support/netns.ts'

const kernel = createKernel()
let shimFolder: string
let shim: string
let folder: string
let netns: string
let agent: Lifecycle

beforeAll(async () => {
  shimFolder = await makeTestFolder()
  shim = await buildShim(shimFolder)
})
afterAll(async () => {
  await kernel.close()
  await removeTestFolder(shimFolder)
})
beforeEach(async () => {
  folder = await makeTestFolder()
  netns = await makeNetns()
  await mkdir(at('bin'))
  await writeFile(at('bin/slow'), slowPlugin(), { mode: 0o755 })
  const definitions = [testDefinition('slow', { cniVersion: '1.0.0', name: 'slow', type: 'slow' })]
  const kube = createTestKube({ pods: [testPod('web', 'slow'), testPod('plain')], definitions })
  agent = createTestAgent({ folder, kube, kernel, shim })
  await agent.start(new AbortController().signal)
})
afterEach(async () => {
  await agent.stop()
  await removeNetns(netns)
  await removeTestFolder(folder)
})

const at = (name: string): string => join(folder, name)

/** A plugin whose ADD waits until there is a file `go`, and which writes down what it is called for. */
function slowPlugin(): string {
  return `#!/bin/sh
cat > /dev/null
echo "$CNI_COMMAND" >> ${at('calls')}
[ "$CNI_COMMAND" = ADD ] || exit 0
while [ ! -e ${at('go')} ]; do sleep 0.02; done
printf '{"cniVersion":"1.0.0","interfaces":[{"name":"%s","sandbox":"%s"}]}' "$CNI_IFNAME" "$CNI_NETNS"
`
}

const callsOfPlugin = async (): Promise<string[]> =>
  (await readFile(at('calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')

const interfaces = async (): Promise<unknown[]> =>
  (await ipJson(netns, 'link')).map(({ ifname }) => ifname).filter((name) => name !== 'lo')

const records = (): Promise<string[]> => readdir(at('state/attachments'))

const ipam = () => ({ type: 'host-local', dataDir: at('ipam'), ranges: [[{ subnet: '10.244.1.0/24' }]] })

function config(more: object = {}): object {
  const delegates = [{ cniVersion: '1.0.0', name: 'pods', type: 'ptp', ipam: ipam() }]
  return { cniVersion: '1.0.0', name: 'meta', type: 'twinlane', delegates, ...more }
}

function env(command: string, pod = 'web', containerId = 'c1'): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/usr/lib/cni',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod}`,
    TWINLANE_SOCKET: at('run/cni.sock'),
  }
}

const call = (command: string, pod = 'web', conf = config()): Promise<CniOutcome> =>
  runCni(at('bin/twinlane'), env(command, pod), conf)

/** A call whose shim can be killed. */
function begin(command: string, conf = config()): { kill: () => Promise<void> } {
  const child = execFile(at('bin/twinlane'), [], { env: env(command) })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.stdin?.end(JSON.stringify(conf))
  return {
    kill: () => {
      child.kill('SIGKILL')
      return ended
    },
  }
}

const addresses = async (): Promise<string[]> =>
  (await readdir(at('ipam/pods')).catch(() => [])).filter((name) => /^\d/.test(name))

describe('a shim that is killed while its ADD is in work', () => {
  it('leaves nothing behind, without any DEL', async () => {
    const { kill } = begin('ADD')
    await expect.poll(callsOfPlugin).toEqual(['ADD'])
    expect(await interfaces()).toEqual(['eth0'])
    await kill()
    await expect.poll(interfaces).toEqual([])
    await expect.poll(records).toEqual([])
    expect(await addresses()).toEqual([])
    expect(new Set(await callsOfPlugin())).toEqual(new Set(['ADD', 'DEL']))
  })

  it('may be followed by the same ADD at once, which gets the right answer', async () => {
    const { kill } = begin('ADD')
    await expect.poll(callsOfPlugin).toEqual(['ADD'])
    await kill()
    await writeFile(at('go'), '')
    const { code, json } = await call('ADD')
    expect(code).toBe(0)
    expect(json?.ips).toEqual([expect.objectContaining({ address: expect.stringMatching(/^10\.244\.1\./) })])
    expect(await interfaces()).toEqual(['eth0'])
    expect(await addresses()).toHaveLength(1)
    expect((await call('DEL')).code).toBe(0)
    expect(await records()).toEqual([])
  })
})

it('an ADD that is sent again after its answer was lost gets the same answer', async () => {
  await writeFile(at('go'), '')
  const first = await call('ADD')
  expect(first.code).toBe(0)
  expect(await call('ADD')).toEqual(first)
  expect(await addresses()).toHaveLength(1)
  expect((await call('DEL')).code).toBe(0)
})

describe('a shim that is killed while its ADD waits for the readiness file', () => {
  it('is forgotten: nothing is begun when the file comes', async () => {
    const waiting = config({ readinessindicatorfile: at('ready') })
    const { kill } = begin('ADD', waiting)
    await expect.poll(async () => (await metrics()).includes('twinlane_cni_requests_before_turn 1')).toBe(true)
    await kill()
    await expect.poll(async () => (await metrics()).includes('twinlane_cni_requests_before_turn 0')).toBe(true)
    await writeFile(at('ready'), '')
    await writeFile(at('go'), '')
    // Of the same container, so it comes after whatever was begun.
    expect((await call('DEL', 'web', waiting)).code).toBe(0)
    expect(await callsOfPlugin()).toEqual([])
    expect(await interfaces()).toEqual([])
    expect(await addresses()).toEqual([])
  })
})

it('fifty ADDs that wait for the readiness file do not hold up the ADD of another configuration', async () => {
  const waiting = config({ readinessindicatorfile: at('ready') })
  const late = Array.from({ length: 50 }, (_, n) =>
    runCni(at('bin/twinlane'), env('ADD', 'none', `late-${n}`), waiting),
  )
  await expect.poll(async () => (await metrics()).includes('twinlane_cni_requests_before_turn 50')).toBe(true)
  expect((await call('ADD', 'plain')).code).toBe(0)
  expect((await call('DEL', 'plain')).code).toBe(0)
  await writeFile(at('ready'), '')
  for (const { json } of await Promise.all(late)) expect(json?.msg).toContain('does not exist in the API server')
})

/** An executable that is open for writing cannot be started (ETXTBSY), one that runs cannot be opened for writing. */
it('a shim that is replaced again and again while requests run fails none of them', async () => {
  await writeFile(at('go'), '')
  let isOver = false
  const replacing = (async () => {
    let count = 0
    for (; !isOver; count++) await installCni(shim, at('bin'))
    return count
  })()
  for (let round = 0; round < 15; round++) {
    expect((await call('ADD')).code).toBe(0)
    expect((await call('DEL')).code).toBe(0)
  }
  isOver = true
  expect(await replacing).toBeGreaterThan(15)
})

function metrics(): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath: at('run/http.sock'), path: '/metrics' }, (response) => {
      text(response).then(resolve, reject)
    }).on('error', reject)
  })
}
