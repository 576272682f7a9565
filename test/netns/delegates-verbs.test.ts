import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
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
import { makeNetns, removeNetns } from '../support/netns.ts'

const kernel = createKernel()
let shim: string
let shimFolder: string
let folder: string
let netns: string
let agent: Lifecycle | undefined

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
  await mkdir(join(folder, 'bin'))
  for (const type of ['first', 'second']) await writePlugin(type)
  const definitions = [testDefinition('more', { cniVersion: '1.1.0', name: 'more', type: 'second' })]
  const kube = createTestKube({ pods: [testPod('web', 'more@eth1')], definitions })
  agent = createTestAgent({ folder, kube, kernel, shim })
  await agent.start(new AbortController().signal)
})
afterEach(async () => {
  await agent?.stop()
  await removeNetns(netns)
  await removeTestFolder(folder)
})

/** A plugin that writes down how it was called, and fails one verb with an error object. */
async function writePlugin(type: string, failing?: { verb: string; code: number; msg: string }): Promise<void> {
  const answer = JSON.stringify({ cniVersion: '1.1.0', ...failing })
  const lines = [
    '#!/bin/sh',
    'input=$(cat)',
    `printf '{"verb":"%s","type":"${type}","container":"%s","config":%s}\\n' "$CNI_COMMAND" "$CNI_CONTAINERID" "$input" >> ${join(folder, 'log')}`,
    ...(failing === undefined ? [] : [`[ "$CNI_COMMAND" = ${failing.verb} ] && { echo '${answer}'; exit 1; }`]),
    `[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"1.1.0"}'`,
    'exit 0',
  ]
  const path = join(folder, 'bin', type)
  await writeFile(path, lines.join('\n'))
  await chmod(path, 0o755)
}

interface PluginCall {
  readonly verb: string
  readonly type: string
  readonly container: string
  readonly config: Readonly<Record<string, unknown>>
}

async function calls(verb: string): Promise<PluginCall[]> {
  const lines = (await readFile(join(folder, 'log'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
  return lines.map((line): PluginCall => JSON.parse(line)).filter((each) => each.verb === verb)
}

function call(command: string, options: { config?: object; version?: string; containerId?: string } = {}) {
  const { version = '1.1.0', containerId = 'c1' } = options
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web',
    TWINLANE_SOCKET: join(folder, 'run/cni.sock'),
  }
  const delegates = [{ cniVersion: version, name: 'base', type: 'first' }]
  const config = { cniVersion: '1.1.0', name: 'multus-cni-network', type: 'twinlane', delegates, ...options.config }
  return runCni(join(folder, 'bin/twinlane'), env, config)
}

function collect(valid: readonly string[]): Promise<CniOutcome> {
  const attachments = valid.map((containerID) => ({ containerID, ifname: 'eth0' }))
  return call('GC', { config: { 'cni.dev/valid-attachments': attachments } })
}

async function validOf(type: string): Promise<unknown> {
  return (await calls('GC')).findLast((each) => each.type === type)?.config['cni.dev/valid-attachments']
}

test('STATUS asks the plugin, and is its answer', async () => {
  expect(await call('STATUS')).toEqual({ code: 0, json: undefined })
  expect(await calls('STATUS')).toMatchObject([{ type: 'first', config: { name: 'base', cniVersion: '1.1.0' } }])
})

test.each([
  [50, 50],
  [51, 51],
  [7, 50],
])('a plugin that answers STATUS with code %i makes it %i, with its message', async (code, expected) => {
  await writePlugin('first', { verb: 'STATUS', code, msg: 'its daemon is away' })
  const { json } = await call('STATUS')
  expect(json).toMatchObject({ code: expected })
  expect(json?.msg).toContain('plugin "first" failed STATUS: its daemon is away')
})

test('a plugin that does not end is not available after five seconds', async () => {
  await writeFile(join(folder, 'bin/first'), '#!/bin/sh\nexec sleep 60\n')
  const { json } = await call('STATUS')
  expect(json).toMatchObject({ code: 50 })
  expect(json?.msg).toMatch(/^plugin "first" failed STATUS: killed after 5\.\d s: /)
})

test('a plugin of an older version is not asked: it is ready when it is there', async () => {
  await writePlugin('first', { verb: 'STATUS', code: 50, msg: 'its daemon is away' })
  expect(await call('STATUS', { version: '1.0.0' })).toEqual({ code: 0, json: undefined })
  expect(await calls('STATUS')).toEqual([])
  const delegates = [{ cniVersion: '1.0.0', name: 'base', type: 'none' }]
  expect((await call('STATUS', { config: { delegates } })).json).toMatchObject({ code: 50 })
})

test.each([1, 123])("CHECK keeps a plugin's own error code %i", async (code) => {
  expect((await call('ADD')).code).toBe(0)
  expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
  await writePlugin('second', { verb: 'CHECK', code, msg: 'the cable is out' })
  const { json } = await call('CHECK')
  expect(json).toMatchObject({ code })
  expect(json?.msg).toContain('network "default/more" (eth1): plugin "second" failed CHECK: the cable is out')
})

test('GC tells each plugin the attachments of its own network, and those that only the runtime knows', async () => {
  expect((await call('ADD')).code).toBe(0)
  expect(await collect(['c1', 'other'])).toEqual({ code: 0, json: undefined })
  const other = { containerID: 'other', ifname: 'eth0' }
  expect(await validOf('first')).toEqual([{ containerID: 'c1', ifname: 'eth0' }, other])
  expect(await validOf('second')).toEqual([{ containerID: 'c1', ifname: 'eth1' }, other])
  expect(await calls('GC')).toHaveLength(2)
  expect(await calls('DEL')).toEqual([])
})

test('GC deletes what is stale first, then asks the plugins with nothing valid, also of a network only records know', async () => {
  expect((await call('ADD')).code).toBe(0)
  expect(await collect([])).toEqual({ code: 0, json: undefined })
  expect((await calls('DEL')).map(({ container, type }) => `${container} ${type}`).sort()).toEqual([
    'c1 first',
    'c1 second',
  ])
  expect([await validOf('first'), await validOf('second')]).toEqual([[], []])
})

test('GC goes on after a plugin that fails, and says so', async () => {
  expect((await call('ADD')).code).toBe(0)
  for (const type of ['first', 'second']) await writePlugin(type, { verb: 'GC', code: 120, msg: `${type} is locked` })
  const { json } = await collect(['c1'])
  expect(json?.msg).toContain('plugin "first" failed GC: first is locked')
  expect(json?.msg).toContain('plugin "second" failed GC: second is locked')
})

test('GC does not call plugins of an older version', async () => {
  const delegates = [{ cniVersion: '1.0.0', name: 'base', type: 'first' }]
  const config = { delegates, 'cni.dev/valid-attachments': [] }
  expect(await call('GC', { config })).toEqual({ code: 0, json: undefined })
  expect(await calls('GC')).toEqual([])
})
