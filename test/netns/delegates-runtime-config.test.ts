import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import type { Lifecycle } from '../../src/base/lifecycle.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import type { FakeKube } from '../../src/kube/fake.ts'
import { pods } from '../../src/kube/resources/core.ts'
import { networkStatusAnnotation } from '../../src/kube/resources/net-attach-def.ts'
import {
  createTestAgent,
  createTestKube,
  makeTestFolder,
  removeTestFolder,
  testDefinition,
  testPod,
} from '../support/agent.ts'
import { buildShim, type CniOutcome, runCni } from '../support/cni.ts'
import { ip, ipJson, makeNetns, removeNetns } from '../support/netns.ts'

const node = '/proc/self/ns/net'
const kernel = createKernel()
let shim: string
let shimFolder: string
let folder: string
let netns: string
let agent: Lifecycle | undefined
let kube: FakeKube

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
  for (const type of ['first', 'second', 'third']) await writePlugin(type)
})
afterEach(async () => {
  await agent?.stop()
  await removeNetns(netns)
  for (const { ifname } of await ipJson(node, 'link')) {
    if (ifname !== 'lo') await ip(node, 'link', 'delete', String(ifname)).catch(() => {})
  }
  await removeTestFolder(folder)
})

/** A plugin that writes down what it got. */
async function writePlugin(type: string): Promise<void> {
  const path = join(folder, 'bin', type)
  const answer = '{"dns":{"nameservers":["10.7.0.53"],"search":["lab"]},"ips":[{"address":"10.7.0.2/24"}]}'
  const log = `printf '{"verb":"%s","type":"${type}","args":"%s","config":%s}\\n' "$CNI_COMMAND" "$CNI_ARGS" "$(cat)"`
  await writeFile(
    path,
    `#!/bin/sh\n${log} >> ${join(folder, 'log')}\n[ $CNI_COMMAND = ADD ] && echo '${answer}'\nexit 0\n`,
  )
  await chmod(path, 0o755)
}

interface PluginCall {
  readonly args: string
  readonly config: Readonly<Record<string, unknown>>
}

async function callsOf(verb: string, type: string): Promise<PluginCall[]> {
  const lines = (await readFile(join(folder, 'log'), 'utf8')).trim().split('\n')
  const calls = lines.map((line): PluginCall & { verb: string; type: string } => JSON.parse(line))
  return calls.filter((call) => call.verb === verb && call.type === type)
}

async function start(selection: object, ...definition: object[]): Promise<void> {
  const networks = JSON.stringify([{ name: 'more', interface: 'eth1', ...selection }])
  const list = { cniVersion: '1.0.0', name: 'more', plugins: definition }
  kube = createTestKube({ pods: [testPod('web', networks)], definitions: [testDefinition('more', list)] })
  agent = createTestAgent({ folder, kube, kernel, shim })
  await agent.start(new AbortController().signal)
}

function call(command: string, runtimeConfig: object = {}): Promise<CniOutcome> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web',
    TWINLANE_SOCKET: join(folder, 'run/cni.sock'),
  }
  const base = {
    type: 'first',
    dns: { nameservers: ['10.0.0.53'] },
    capabilities: { portMappings: true, bandwidth: true },
  }
  const delegates = [{ cniVersion: '1.0.0', name: 'base', plugins: [base] }]
  const config = { cniVersion: '1.0.0', name: 'multus-cni-network', type: 'twinlane', delegates, runtimeConfig }
  return runCni(join(folder, 'bin/twinlane'), env, config)
}

const asked = {
  ips: ['10.7.0.7/24'],
  mac: '02:00:00:00:07:07',
  'infiniband-guid': 'c2:11:22:33:44:55:66:77',
  portMappings: [{ hostPort: 8081, containerPort: 81, protocol: 'tcp' }],
  bandwidth: { ingressRate: 2_000_000, ingressBurst: 1_000_000 },
}
const told = {
  ips: asked.ips,
  mac: asked.mac,
  infinibandGUID: asked['infiniband-guid'],
  portMappings: [expect.objectContaining({ hostPort: 8081, containerPort: 81, protocol: 'tcp' })],
  bandwidth: asked.bandwidth,
}

test('each plugin of a chain gets of what the annotation asks for the part that it has a capability for, on ADD and on DEL', async () => {
  const { portMappings, bandwidth, ...rest } = told
  const second = { type: 'second', capabilities: { ips: true, mac: true, infinibandGUID: true } }
  const third = { type: 'third', capabilities: { portMappings: true, bandwidth: true, mac: false } }
  await start(asked, second, third)
  expect(await call('ADD')).toMatchObject({ code: 0 })
  expect(await call('DEL')).toEqual({ code: 0, json: undefined })
  for (const verb of ['ADD', 'DEL']) {
    const [toSecond, toThird] = [await callsOf(verb, 'second'), await callsOf(verb, 'third')]
    expect(toSecond.map(({ config }) => config.runtimeConfig)).toEqual([rest])
    expect(toThird.map(({ config }) => config.runtimeConfig)).toEqual([{ portMappings, bandwidth }])
    expect(toSecond[0]?.config).not.toHaveProperty('capabilities')
  }
})

test("the runtime's own port mappings and bandwidth reach the default network and no other", async () => {
  await start({}, { type: 'second', capabilities: { portMappings: true, bandwidth: true } })
  const runtimeConfig = {
    portMappings: [{ hostPort: 80, containerPort: 80, protocol: 'tcp' }],
    bandwidth: asked.bandwidth,
  }
  expect(await call('ADD', runtimeConfig)).toMatchObject({ code: 0 })
  expect((await callsOf('ADD', 'first'))[0]?.config.runtimeConfig).toEqual(runtimeConfig)
  expect((await callsOf('ADD', 'second'))[0]?.config).not.toHaveProperty('runtimeConfig')
})

test('a capability that no plugin of the network has fails the ADD before any plugin runs', async () => {
  await start({ mac: asked.mac }, { type: 'second', capabilities: { ips: true } })
  const { code, json } = await call('ADD')
  expect(code).toBe(1)
  expect(json?.msg).toContain('mac')
  await expect(callsOf('ADD', 'first')).rejects.toThrow('ENOENT')
})

test('cni-args of the annotation go key by key before args.cni of the configuration, to every plugin of the chain', async () => {
  const args = { cni: { own: 1, both: 'configuration' }, other: true }
  await start({ 'cni-args': { both: 'annotation', more: [2] } }, { type: 'second', args }, { type: 'third' })
  expect(await call('ADD')).toMatchObject({ code: 0 })
  const merged = { both: 'annotation', more: [2] }
  expect((await callsOf('ADD', 'second'))[0]?.config.args).toEqual({ cni: { own: 1, ...merged }, other: true })
  expect((await callsOf('ADD', 'third'))[0]?.config.args).toEqual({ cni: merged })
  expect((await callsOf('ADD', 'first'))[0]?.config).not.toHaveProperty('args')
})

test("a configuration's dns reaches its plugin; the plugin's dns is in the answer and in network-status", async () => {
  await start({}, { type: 'second' })
  const dns = { nameservers: ['10.7.0.53'], search: ['lab'] }
  expect(await call('ADD')).toMatchObject({ code: 0, json: { dns } })
  expect((await callsOf('ADD', 'first'))[0]?.config.dns).toEqual({ nameservers: ['10.0.0.53'] })
  await expect
    .poll(async () => (await kube.find(pods, 'web', 'default'))?.metadata.annotations?.[networkStatusAnnotation])
    .toBeDefined()
  const pod = await kube.find(pods, 'web', 'default')
  const status = JSON.parse(pod?.metadata.annotations?.[networkStatusAnnotation] ?? '[]')
  expect(status).toMatchObject([
    { name: 'base', dns },
    { name: 'default/more', dns },
  ])
})

test('the reference plugins do what the annotation asks for: address, MAC address, port and bandwidth', async () => {
  const { 'infiniband-guid': _, ...wanted } = asked
  await start(
    wanted,
    {
      ...{ type: 'bridge', bridge: 'br0', isGateway: true },
      capabilities: { mac: true, ips: true },
      ipam: { type: 'static' },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'bandwidth', capabilities: { bandwidth: true } },
  )
  expect(await call('ADD')).toMatchObject({ code: 0 })
  const [eth1] = await ipJson(netns, 'address', 'show', 'dev', 'eth1')
  expect(eth1).toMatchObject({
    address: asked.mac,
    addr_info: expect.arrayContaining([expect.objectContaining({ local: '10.7.0.7', prefixlen: 24 })]),
  })
  const nat = async (): Promise<string> => (await exec('iptables', ['-t', 'nat', '-S'])).stdout
  expect(await nat()).toContain('--to-destination 10.7.0.7:81')
  expect((await exec('tc', ['qdisc'])).stdout).toContain('rate 2Mbit')
  expect(await call('DEL')).toEqual({ code: 0, json: undefined })
  expect(await nat()).not.toContain('10.7.0.7')
})
