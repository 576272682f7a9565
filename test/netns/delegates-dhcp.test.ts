import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type ChildProcess, exec, spawnProcess } from '../../src/base/exec.ts'
import { fileAppears } from '../../src/base/file-appears.ts'
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
import { ip, ipJson, makeNetns, removeNetns } from '../support/netns.ts'

const node = '/proc/self/ns/net'
const kernel = createKernel()
const processes: ChildProcess[] = []
let shimFolder: string
let folder: string
let netns: string
let agent: Lifecycle | undefined

beforeAll(async () => {
  shimFolder = await makeTestFolder()
})
afterAll(async () => {
  await kernel.close()
  await removeTestFolder(shimFolder)
})
beforeEach(async () => {
  folder = await makeTestFolder()
  netns = await makeNetns()
  await ip(node, 'link', 'add', 'lan', 'up', 'type', 'bridge')
  await ip(node, 'address', 'add', '10.8.0.1/24', 'dev', 'lan')
  await startServer()
  await startDaemon()
  const more = {
    cniVersion: '1.0.0',
    type: 'bridge',
    bridge: 'lan',
    ipam: { type: 'dhcp', daemonSocketPath: socket() },
  }
  const kube = createTestKube({ pods: [testPod('web', 'more@eth1')], definitions: [testDefinition('more', more)] })
  agent = createTestAgent({ folder, kube, kernel, shim: await buildShim(shimFolder) })
  await agent.start(new AbortController().signal)
})
afterEach(async () => {
  await agent?.stop()
  for (const each of processes.splice(0)) each.kill('SIGKILL')
  await removeNetns(netns)
  for (const { ifname } of await ipJson(node, 'link')) {
    if (ifname !== 'lo') await ip(node, 'link', 'delete', String(ifname)).catch(() => {})
  }
  await removeTestFolder(folder)
})

const socket = (): string => join(folder, 'dhcp.sock')
const leaseFile = (): string => join(folder, 'leases')

/** busybox' server on the bridge. */
async function startServer(): Promise<void> {
  const lines = [
    ...['interface lan', 'start 10.8.0.50', 'end 10.8.0.59', 'option subnet 255.255.255.0', 'option router 10.8.0.1'],
    ...['option lease 600', `lease_file ${leaseFile()}`, `pidfile ${join(folder, 'udhcpd.pid')}`],
  ]
  await writeFile(join(folder, 'udhcpd.conf'), `${lines.join('\n')}\n`)
  await writeFile(leaseFile(), '')
  processes.push(spawnProcess('busybox', ['udhcpd', '-f', join(folder, 'udhcpd.conf')], { stdio: 'ignore' }))
  await fileAppears(join(folder, 'udhcpd.pid'), { what: 'the DHCP server', timeoutMs: 10_000 })
}

/** The plugin's own daemon, which keeps the leases alive. */
async function startDaemon(): Promise<void> {
  processes.push(spawnProcess('/usr/lib/cni/dhcp', ['daemon', '-socketpath', socket()], { stdio: 'ignore' }))
  await fileAppears(socket(), { what: 'the daemon of the plugin dhcp', timeoutMs: 10_000 })
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
  const base = {
    cniVersion: '1.0.0',
    name: 'base',
    type: 'ptp',
    ipam: { type: 'static', addresses: [{ address: '10.7.0.9/24', gateway: '10.7.0.1' }] },
  }
  const config = { cniVersion: '1.0.0', name: 'multus-cni-network', type: 'twinlane', delegates: [base] }
  return runCni(join(folder, 'bin/twinlane'), env, config)
}

async function addressOf(device: string): Promise<string | undefined> {
  const [shown] = await ipJson(netns, '-4', 'address', 'show', 'dev', device)
  return (shown?.addr_info as { local: string }[] | undefined)?.[0]?.local
}

test('a network with dhcp has an address of the server, the pod reaches it, and DEL ends the lease', async () => {
  expect(await call('ADD')).toMatchObject({ code: 0 })
  expect(await addressOf('eth1')).toMatch(/^10\.8\.0\.5\d$/)
  await exec('nsenter', [`--net=${netns}`, 'busybox', 'ping', '-c', '1', '-W', '5', '10.8.0.1'])
  expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
  expect(await call('DEL')).toEqual({ code: 0, json: undefined })
  expect((await ipJson(netns, 'link')).map(({ ifname }) => ifname)).toEqual(['lo'])
})
