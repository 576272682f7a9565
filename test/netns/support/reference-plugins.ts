import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { exec } from '../../../src/base/exec.ts'
import type { Lifecycle } from '../../../src/base/lifecycle.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { createKernel } from '../../../src/kernel/linux.ts'
import { createTestAgent, createTestKube, makeTestFolder, removeTestFolder, testPod } from '../../support/agent.ts'
import { buildShim, type CniOutcome, runCni } from '../../support/cni.ts'
import { ip, ipJson, makeNetns, removeNetns } from '../../support/netns.ts'

/** One of the reference plugins, or a chain with it, as the pod's network. */
interface Row {
  readonly name: string
  readonly plugins: readonly Readonly<Record<string, unknown>>[]
  /** What `ip -j link` and `ip -j addr` must show of the pod's interface. */
  readonly link?: Readonly<Record<string, unknown>>
  readonly address?: string
  readonly routes?: readonly Readonly<Record<string, unknown>>[]
  readonly rules?: readonly Readonly<Record<string, unknown>>[]
  /** What must be in a command's output between ADD and DEL, and only then. */
  readonly onNode?: { readonly command: readonly [string, ...string[]]; readonly text: string }
}

/** A build of the reference plugins. */
export interface Build {
  readonly folder: string
  /** Of the configurations. */
  readonly cniVersion: string
  /** By row: what CHECK says where the plugin itself is at odds with what its ADD made. */
  readonly checkMessages: Readonly<Record<string, string>>
}

const node = '/proc/self/ns/net'

const hostLocal = { type: 'host-local', dataDir: '<folder>/ipam', subnet: '10.7.0.0/24' }
const fixed = { type: 'static', addresses: [{ address: '10.7.0.9/24', gateway: '10.7.0.1' }] }
const bridge = { type: 'bridge', bridge: 'br0', isGateway: true, ipam: hostLocal }
const macvlan = { type: 'macvlan', master: 'parent', mode: 'bridge', ipam: fixed }

const works: Row[] = [
  { name: 'bridge with host-local', plugins: [{ ...bridge, mtu: 1400 }], address: '10.7.0.2', link: { mtu: 1400 } },
  {
    name: 'ptp with host-local and a route',
    plugins: [{ type: 'ptp', ipam: { ...hostLocal, routes: [{ dst: '10.99.0.0/16', gw: '10.7.0.1' }] } }],
    address: '10.7.0.2',
    routes: [{ dst: '10.99.0.0/16', gateway: '10.7.0.1', dev: 'eth0' }],
  },
  {
    name: 'macvlan with static',
    plugins: [macvlan],
    address: '10.7.0.9',
    link: { linkinfo: expect.objectContaining({ info_kind: 'macvlan' }) },
  },
  {
    name: 'host-device with static',
    plugins: [{ type: 'host-device', device: 'device', ipam: fixed }],
    address: '10.7.0.9',
    link: { linkinfo: expect.objectContaining({ info_kind: 'veth' }) },
  },
  {
    name: 'bridge, then tuning',
    plugins: [bridge, { type: 'tuning', mac: '02:00:00:00:07:09', mtu: 1300 }],
    address: '10.7.0.2',
    link: { address: '02:00:00:00:07:09', mtu: 1300 },
  },
  {
    name: 'bridge, then sbr',
    plugins: [bridge, { type: 'sbr' }],
    address: '10.7.0.2',
    rules: [{ src: '10.7.0.2', table: '100' }],
  },
  { name: 'bridge, then loopback', plugins: [bridge, { type: 'loopback' }], address: '10.7.0.2' },
  {
    name: 'bridge, then bandwidth',
    plugins: [bridge, { type: 'bandwidth', ingressRate: 1_000_000, ingressBurst: 1_000_000 }],
    address: '10.7.0.2',
    onNode: { command: ['tc', 'qdisc'], text: 'tbf' },
  },
  {
    name: 'bridge, then portmap',
    plugins: [bridge, { type: 'portmap', capabilities: { portMappings: true } }],
    address: '10.7.0.2',
    onNode: { command: ['iptables', '-t', 'nat', '-S'], text: '--to-destination 10.7.0.2:80' },
  },
  {
    name: 'bridge, then firewall',
    plugins: [bridge, { type: 'firewall', backend: 'iptables' }],
    address: '10.7.0.2',
    onNode: { command: ['iptables', '-S'], text: '-s 10.7.0.2/32' },
  },
]

const refused: (Row & { message: string })[] = [
  {
    name: 'ipvlan',
    plugins: [{ type: 'ipvlan', master: 'parent', ipam: hostLocal }],
    message: 'plugin "ipvlan" failed ADD: failed to create ipvlan: operation not supported',
  },
  {
    name: 'vlan',
    plugins: [{ type: 'vlan', master: 'parent', vlanId: 7, ipam: hostLocal }],
    message: 'plugin "vlan" failed ADD: failed to create vlan: operation not supported',
  },
  {
    name: 'bridge, then vrf',
    plugins: [bridge, { type: 'vrf', vrfname: 'red' }],
    message: 'plugin "vrf" failed ADD: cmdAdd failed: could not add VRF red: operation not supported',
  },
]

/**
 * Every plugin of a build that this kernel has what it needs for, by itself or in a chain, as a pod's network. Call at
 * the top level of a test file.
 */
export function testReferencePlugins(build: () => Promise<Build> | Build): void {
  let kernel: Kernel
  let plugins: Build
  let shim: string
  let shimFolder: string
  let folder: string
  let netns: string
  let agent: Lifecycle | undefined

  beforeAll(async () => {
    plugins = await build()
    kernel = createKernel()
    shimFolder = await makeTestFolder()
    shim = await buildShim(shimFolder)
  }, 600_000)
  afterAll(async () => {
    await kernel.close()
    await removeTestFolder(shimFolder)
  })
  beforeEach(async () => {
    folder = await makeTestFolder()
    netns = await makeNetns()
    await ip(node, 'link', 'add', 'parent', 'up', 'type', 'veth', 'peer', 'name', 'device')
    agent = createTestAgent({ folder, kube: createTestKube({ pods: [testPod('web')] }), kernel, shim })
    await agent.start(new AbortController().signal)
  })
  afterEach(async () => {
    await agent?.stop()
    await removeNetns(netns)
    for (const { ifname } of await ipJson(node, 'link')) {
      if (ifname !== 'lo') await ip(node, 'link', 'delete', String(ifname)).catch(() => {})
    }
    await removeTestFolder(folder)
  })

  test.each(works)('$name: ADD shows in the kernel, CHECK answers, DEL leaves nothing', async (row) => {
    const before = await linkNames(node)
    const checkMessage = plugins.checkMessages[row.name]
    expect(await call('ADD', row)).toMatchObject({ code: 0, json: { cniVersion: plugins.cniVersion } })
    const [shown] = await ipJson(netns, '-d', 'addr', 'show', 'dev', 'eth0')
    expect(shown).toMatchObject({
      ...row.link,
      addr_info: expect.arrayContaining([expect.objectContaining({ local: row.address })]),
    })
    for (const route of row.routes ?? [])
      expect(await ipJson(netns, 'route')).toContainEqual(expect.objectContaining(route))
    for (const rule of row.rules ?? [])
      expect(await ipJson(netns, 'rule')).toContainEqual(expect.objectContaining(rule))
    if (row.onNode !== undefined) expect(await outputOf(row.onNode.command)).toContain(row.onNode.text)
    const checked = await call('CHECK', row)
    if (checkMessage === undefined) expect(checked).toEqual({ code: 0, json: undefined })
    else expect(checked.json?.msg).toContain(checkMessage)
    expect(await call('DEL', row)).toEqual({ code: 0, json: undefined })
    await expectNothingLeft(before)
    if (row.onNode !== undefined) expect(await outputOf(row.onNode.command)).not.toContain(row.onNode.text)
  })

  test.each(refused)('$name: the refusal is passed on, and nothing is left', async (row) => {
    const before = await linkNames(node)
    const { code, json } = await call('ADD', row)
    expect(json?.msg).toContain(row.message)
    expect(code).toBe(1)
    await expectNothingLeft(before)
    expect(await call('DEL', row)).toEqual({ code: 0, json: undefined })
  })

  test('macvlan with dhcp and no daemon: the refusal is passed on, and DEL does not call it success while the plugin cannot', async () => {
    const row = { name: 'dhcp', plugins: [{ ...macvlan, ipam: { type: 'dhcp' } }] }
    const { json } = await call('ADD', row)
    expect(json?.msg).toContain('plugin "macvlan" failed ADD: error dialing DHCP daemon')
    expect((await call('DEL', row)).json?.msg).toContain('plugin "macvlan" failed DEL: error dialing DHCP daemon')
  })

  function call(command: string, row: Row): Promise<CniOutcome> {
    const list = JSON.parse(JSON.stringify(row.plugins).replaceAll('<folder>', folder))
    const { cniVersion, folder: binDir } = plugins
    const delegates = [{ cniVersion, name: 'only', plugins: list }]
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web',
      TWINLANE_SOCKET: join(folder, 'run/cni.sock'),
    }
    const runtimeConfig = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] }
    const config = { cniVersion, name: 'multus-cni-network', type: 'twinlane', binDir, delegates, runtimeConfig }
    return runCni(join(folder, 'bin/twinlane'), env, config)
  }

  async function outputOf([command, ...args]: readonly [string, ...string[]]): Promise<string> {
    return (await exec(command, args)).stdout
  }

  /** A bridge stays by design of its plugin: other pods may be on it. */
  async function expectNothingLeft(before: readonly unknown[]): Promise<void> {
    expect((await linkNames(node)).filter((name) => name !== 'br0')).toEqual(before)
    expect(await linkNames(netns)).toEqual(['lo'])
    expect(await leases()).toEqual([])
    expect(await readdir(join(folder, 'state/attachments'))).toEqual([])
  }

  async function linkNames(namespace: string): Promise<unknown[]> {
    return (await ipJson(namespace, 'link')).map(({ ifname }) => ifname).toSorted()
  }

  async function leases(): Promise<string[]> {
    const path = join(folder, 'ipam/only')
    return existsSync(path) ? (await readdir(path)).filter((name) => /^\d/.test(name)) : []
  }
}
