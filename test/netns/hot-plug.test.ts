import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { parseRecord, renderRecord } from '../../src/agent/attachment-record.ts'
import type { Lifecycle } from '../../src/base/lifecycle.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import type { FakeKube } from '../../src/kube/fake.ts'
import { events, pods } from '../../src/kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../src/kube/resources/net-attach-def.ts'
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
let shimFolder: string
let shim: string
let folder: string
let netns: string
let kube: FakeKube
let agent: Lifecycle | undefined

beforeAll(async () => {
  shimFolder = await makeTestFolder()
  shim = await buildShim(shimFolder)
  await ip(node, 'link', 'add', 'uplink0', 'type', 'bridge')
  await ip(node, 'link', 'set', 'uplink0', 'up')
})
afterAll(async () => {
  await ip(node, 'link', 'delete', 'uplink0')
  await kernel.close()
  await removeTestFolder(shimFolder)
})
beforeEach(async () => {
  folder = await makeTestFolder()
  netns = await makeNetns()
})
afterEach(async () => {
  await agent?.stop()
  agent = undefined
  await removeNetns(netns)
  await removeTestFolder(folder)
})

function ipam(subnet: string) {
  const gateway = subnet.replace(/\.0\/\d+$/, '.1')
  const routes = [{ dst: '0.0.0.0/0', gw: gateway }]
  return { type: 'host-local', dataDir: join(folder, 'ipam'), ranges: [[{ subnet, gateway }]], routes }
}

const ptp = () => ({ cniVersion: '1.0.0', name: 'pods', type: 'ptp', ipam: ipam('10.244.1.0/24') })
const bridge = () => {
  const bridgeKeys = { type: 'bridge', bridge: 'br-plug', isGateway: true }
  return { cniVersion: '1.0.0', name: 'br', ...bridgeKeys, ipam: ipam('10.144.0.0/24') }
}
const macvlan = () => {
  return { cniVersion: '1.0.0', name: 'mac', type: 'macvlan', master: 'uplink0', ipam: ipam('10.145.0.0/24') }
}

async function startAgent(): Promise<void> {
  agent = createTestAgent({ folder, kube, kernel, shim })
  await agent.start(new AbortController().signal)
}

/** A running pod with the annotation. */
async function run(networks?: string): Promise<void> {
  const definitions = [testDefinition('br', bridge()), testDefinition('mac', macvlan())]
  kube = createTestKube({ pods: [testPod('web', networks)], definitions })
  await startAgent()
  expect((await call('ADD')).code).toBe(0)
}

function call(command: string): Promise<CniOutcome> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web',
    TWINLANE_SOCKET: join(folder, 'run/cni.sock'),
  }
  const config = { cniVersion: '1.0.0', name: 'meta', type: 'twinlane', delegates: [ptp()] }
  return runCni(join(folder, 'bin/twinlane'), env, config)
}

async function annotate(networks: string): Promise<void> {
  const body = { metadata: { annotations: { 'k8s.v1.cni.cncf.io/networks': networks } } }
  await kube.patch(pods, 'web', { type: 'merge', body }, { namespace: 'default' })
}

async function links(): Promise<unknown[]> {
  return (await ipJson(netns, 'link')).map((link) => link.ifname).filter((name) => name !== 'lo')
}

/** By network-status, which is written last. */
async function told(): Promise<string[]> {
  const { annotations } = (await kube.get(pods, 'web', 'default')).metadata
  const status: unknown = JSON.parse(annotations?.['k8s.v1.cni.cncf.io/network-status'] ?? '[]')
  return (status as { name: string; interface: string }[]).map((item) => `${item.interface} ${item.name}`)
}

async function eventLines(): Promise<string[]> {
  return (await kube.list(events)).items.map((item) => `${item.type} ${item.reason} ${item.message}`)
}

async function expectNothingLeftAfterDel(): Promise<void> {
  expect(await call('DEL')).toEqual({ code: 0, json: undefined })
  expect(await links()).toEqual([])
  const networks = existsSync(join(folder, 'ipam')) ? await readdir(join(folder, 'ipam')) : []
  const files = await Promise.all(networks.map((name) => readdir(join(folder, 'ipam', name))))
  expect(files.flat().filter((name) => /^\d/.test(name))).toEqual([])
  expect(await readdir(join(folder, 'state/attachments'))).toEqual([])
}

test('an interface comes, goes and is replaced with the annotation of a running pod', async () => {
  await run()
  await annotate('br')
  await expect.poll(told).toEqual(['eth0 pods', 'net1 default/br'])
  expect(await links()).toEqual(['eth0', 'net1'])
  expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
  await annotate('mac@data')
  await expect.poll(told).toEqual(['eth0 pods', 'data default/mac'])
  expect(await links()).toEqual(['eth0', 'data'])
  expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
  await annotate('')
  await expect.poll(told).toEqual(['eth0 pods'])
  expect(await links()).toEqual(['eth0'])
  await expect.poll(eventLines).toContain('Normal AddedInterface Add net1 [10.144.0.2/24] from default/br')
  await expect.poll(eventLines).toContain('Normal RemovedInterface Remove net1 from default/br')
  await expectNothingLeftAfterDel()
})

test('the default route moves to the interface that asks for it and comes back when that goes', async () => {
  await run()
  const before = await ip(netns, 'route')
  await annotate('[{"name":"br","default-route":["10.144.0.1"]}]')
  await expect.poll(told).toEqual(['eth0 pods', 'net1 default/br'])
  expect(await ip(netns, 'route', 'get', '203.0.113.1')).toContain('via 10.144.0.1 dev net1')
  expect(await ip(netns, 'route', 'get', '203.0.113.1', 'from', '10.244.1.2')).toContain('via 10.244.1.1 dev eth0')
  await annotate('')
  await expect.poll(told).toEqual(['eth0 pods'])
  const lines = (text: string): string[] => text.trim().split('\n').sort()
  expect(lines(await ip(netns, 'route'))).toEqual(lines(before))
  await expectNothingLeftAfterDel()
})

test('the default network gets its default route back when another network has brought one too', async () => {
  await run('[{"name":"br","default-route":["10.144.0.1"]},{"name":"mac","interface":"data"}]')
  await annotate('mac@data')
  await expect.poll(told).toEqual(['eth0 pods', 'data default/mac'])
  expect(await ip(netns, 'route', 'get', '203.0.113.1')).toContain('via 10.244.1.1 dev eth0')
  await expectNothingLeftAfterDel()
})

test('an interface that is still asked for is not touched when others come and go', async () => {
  await run('br,mac@data')
  const address = async (): Promise<unknown> => (await ipJson(netns, 'link', 'show', 'data'))[0]?.address
  const before = await address()
  await annotate('mac@data,br@other')
  await expect.poll(told).toEqual(['eth0 pods', 'data default/mac', 'other default/br'])
  expect(await address()).toBe(before)
  await expectNothingLeftAfterDel()
})

test('an annotation that cannot be read changes nothing and is told', async () => {
  await run('br')
  await annotate('[{"name":"mac",}]')
  const isTold = (line: string): boolean => line.startsWith('Warning InvalidNetworks')
  await expect.poll(async () => (await eventLines()).some(isTold)).toBe(true)
  expect(await links()).toEqual(['eth0', 'net1'])
  expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
  await expectNothingLeftAfterDel()
})

test('a network that fails leaves the others alone, and is attached once it can be', async () => {
  await run()
  await annotate('late,br')
  await expect.poll(told).toEqual(['eth0 pods', 'net2 default/br'])
  const isTold = (line: string): boolean => line.startsWith('Warning FailedAttachment') && line.includes('default/late')
  await expect.poll(async () => (await eventLines()).some(isTold)).toBe(true)
  await kube.create(networkAttachmentDefinitions, testDefinition('late', macvlan()))
  await expect.poll(told, { timeout: 20_000 }).toEqual(['eth0 pods', 'net2 default/br', 'net1 default/late'])
  await expectNothingLeftAfterDel()
})

test('what the plugin cannot attach leaves no interface, address or record behind', async () => {
  await run()
  const tuning = { type: 'tuning', sysctl: { 'net.ipv4.conf.IFNAME.nothing': '1' } }
  const { cniVersion, name, ...first } = bridge()
  await kube.create(
    networkAttachmentDefinitions,
    testDefinition('broken', { cniVersion, name, plugins: [first, tuning] }),
  )
  await annotate('broken')
  const isTold = (line: string): boolean => line.includes('Warning FailedAttachment network "default/broken" (net1)')
  await expect.poll(async () => (await eventLines()).some(isTold)).toBe(true)
  await annotate('')
  await expect.poll(told).toEqual(['eth0 pods'])
  await expect.poll(links).toEqual(['eth0'])
  expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
  await expectNothingLeftAfterDel()
})

test('an interface that cannot be detached is told again and again, and holds up no other', async () => {
  const refusal = join(folder, 'refuse')
  await mkdir(join(folder, 'bin'))
  await writePlugin('stuck', `[ "$CNI_COMMAND" = DEL ] && [ -e ${refusal} ] && { echo '${stuckError}'; exit 1; }`)
  await run('br@one')
  await kube.create(
    networkAttachmentDefinitions,
    testDefinition('stuck', { cniVersion: '1.0.0', name: 'stuck', type: 'stuck' }),
  )
  await annotate('br@one,stuck@two')
  await expect.poll(told).toEqual(['eth0 pods', 'one default/br', 'two default/stuck'])
  await writeFile(refusal, '')
  await annotate('mac@data,br@two')
  await expect.poll(told).toEqual(['eth0 pods', 'data default/mac', 'two default/stuck'])
  expect(await links()).toEqual(['eth0', 'data'])
  const isTold = (line: string): boolean => line.startsWith('Warning FailedDetachment') && line.includes('busy')
  await expect.poll(async () => (await eventLines()).some(isTold)).toBe(true)
  await agent?.stop()
  await startAgent()
  await expect.poll(links).toEqual(['eth0', 'data'])
  await rm(refusal)
  await expect.poll(told, { timeout: 20_000 }).toEqual(['eth0 pods', 'data default/mac', 'two default/br'])
  await expectNothingLeftAfterDel()
})

const stuckError = JSON.stringify({ cniVersion: '1.0.0', code: 100, msg: 'the switch is busy' })

/** A plugin that makes nothing. */
async function writePlugin(type: string, line: string): Promise<void> {
  const answer = `printf '{"cniVersion":"1.0.0","interfaces":[{"name":"%s","sandbox":"%s"}]}' $CNI_IFNAME $CNI_NETNS`
  const script = ['#!/bin/sh', 'cat > /dev/null', line, `[ "$CNI_COMMAND" = ADD ] && ${answer}`, 'exit 0', '']
  await writeFile(join(folder, 'bin', type), script.join('\n'), { mode: 0o755 })
}

test('an attach that the stop of the agent cuts off is no Warning, and the next agent makes it', async () => {
  const go = join(folder, 'go')
  await mkdir(join(folder, 'bin'))
  const begun = join(folder, 'begun')
  await writePlugin(
    'slow',
    `[ "$CNI_COMMAND" = ADD ] && { touch ${begun}; while [ ! -e ${go} ]; do sleep 0.02; done; }`,
  )
  await run()
  await kube.create(
    networkAttachmentDefinitions,
    testDefinition('slow', { cniVersion: '1.0.0', name: 'slow', type: 'slow' }),
  )
  await annotate('slow@one,br@two')
  await expect.poll(() => existsSync(begun)).toBe(true)
  await agent?.stop()
  expect(await links()).toEqual(['eth0'])
  await writeFile(go, '')
  await startAgent()
  await expect.poll(told).toEqual(['eth0 pods', 'one default/slow', 'two default/br'])
  expect((await eventLines()).filter((line) => line.startsWith('Warning'))).toEqual([])
  await expectNothingLeftAfterDel()
})

test('an annotation that was edited while there was no agent is followed by the next one', async () => {
  await run('br')
  await expect.poll(told).toEqual(['eth0 pods', 'net1 default/br'])
  await agent?.stop()
  await annotate('mac@data')
  await startAgent()
  await expect.poll(told).toEqual(['eth0 pods', 'data default/mac'])
  expect(await links()).toEqual(['eth0', 'data'])
  await expectNothingLeftAfterDel()
})

test.each(['attaching', 'detaching'] as const)(
  'an interface that a killed agent left %s is made anew or gone, as is asked',
  async (state) => {
    await run('[{"name":"br","default-route":["10.144.0.1"]},{"name":"mac","interface":"data"}]')
    const before = (await ipJson(netns, 'link', 'show', 'data'))[0]?.ifindex
    await agent?.stop()
    await markAll(state)
    await annotate('mac@data')
    await startAgent()
    await expect.poll(told).toEqual(['eth0 pods', 'data default/mac'])
    expect((await ipJson(netns, 'link', 'show', 'data'))[0]?.ifindex).not.toBe(before)
    expect(await ip(netns, 'route')).toContain('default via 10.244.1.1 dev eth0')
    expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
    await expectNothingLeftAfterDel()
  },
)

/** As an agent leaves the record that is killed before it has the answer of a plugin. */
async function markAll(state: 'attaching' | 'detaching'): Promise<void> {
  const path = join(folder, 'state/attachments/c1@eth0.json')
  const record = parseRecord(await readFile(path, 'utf8'))
  const attachments = record.attachments.map((item) => (item.isDefault ? item : { ...item, state }))
  await writeFile(path, renderRecord({ ...record, attachments }))
}
