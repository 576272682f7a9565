import { readdir, readFile, writeFile } from 'node:fs/promises'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Lifecycle } from '../../src/base/lifecycle.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import type { FakeKube } from '../../src/kube/fake.ts'
import { nodes } from '../../src/kube/resources/core.ts'
import { delegateDriver } from '../../src/networks/delegate/driver.ts'
import { routedDriver } from '../../src/networks/routed/driver.ts'
import { allocationsOf } from '../../src/networks/routed/ipam/block.ts'
import { ipamBlocks, ipamHandles, ipPools } from '../../src/networks/routed/resources.ts'
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
import { serveQuietBird } from '../support/quiet-bird.ts'

const node = '/proc/self/ns/net'
const kernel = createKernel()
let shim: string
let shimFolder: string
let folder: string
let kube: FakeKube
let bird: Server
let agent: Lifecycle | undefined
const spaces: string[] = []

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
  await ip(node, 'link', 'add', 'ens2', 'up', 'type', 'veth', 'peer', 'name', 'device')
  await ip(node, 'address', 'add', '192.168.100.101/24', 'dev', 'ens2')
  bird = await serveQuietBird(join(folder, 'bird.ctl'))
  kube = createTestKube({
    pods: [testPod('web', 'more@eth1'), ...pods40.map((name) => testPod(name))],
    definitions: [testDefinition('more', more)],
  })
  const pool = { blockSize: 26, ipipMode: 'Never', vxlanMode: 'Never', nodeSelector: '!all()' } as const
  kube.seed(ipPools, { metadata: { name: 'link' }, spec: { cidr: '10.50.0.0/24', ...pool } })
  kube.seed(ipPools, { metadata: { name: 'tiny' }, spec: { cidr: '10.51.0.0/30', ...pool, blockSize: 30 } })
  await startAgent()
})
afterEach(async () => {
  await agent?.stop()
  bird.close()
  await Promise.all(spaces.splice(0).map(removeNetns))
  for (const { ifname } of await ipJson(node, 'link')) {
    if (ifname !== 'lo') await ip(node, 'link', 'delete', String(ifname)).catch(() => {})
  }
  await removeTestFolder(folder)
})

const pods40 = Array.from({ length: 40 }, (_, index) => `pod-${index}`)
const fromPool = (pool: string, type = 'calico-ipam'): object => ({ type, ipv4_pools: [pool] })
const bridge = { cniVersion: '1.0.0', name: 'base', type: 'bridge', bridge: 'br0', isGateway: true }
const base = { ...bridge, ipam: fromPool('link') }
const more = {
  cniVersion: '1.0.0',
  type: 'macvlan',
  master: 'ens2',
  mode: 'bridge',
  ipam: { ...fromPool('link', 'twinlane-ipam'), gateway: '10.50.0.254', routes: [{ dst: '10.99.0.0/16' }] },
}

async function startAgent(): Promise<void> {
  agent = createTestAgent({
    folder,
    kube,
    kernel,
    shim,
    drivers: [routedDriver, delegateDriver],
    networks: { routed: { ipPoolCidr: '10.244.0.0/16', ipAutodetectionMethod: 'interface=ens2' } },
  })
  await agent.start(new AbortController().signal)
}

interface Sandbox {
  readonly id: string
  readonly pod: string
  readonly netns: string
}

async function createSandbox(id: string, pod: string): Promise<Sandbox> {
  const netns = await makeNetns()
  spaces.push(netns)
  return { id, pod, netns }
}

function call(command: string, { id, pod, netns }: Sandbox, delegate: object = base, keys: object = {}) {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: id,
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod}`,
    TWINLANE_SOCKET: join(folder, 'run/cni.sock'),
  }
  const config = { cniVersion: '1.1.0', name: 'multus-cni-network', type: 'twinlane', delegates: [delegate], ...keys }
  return runCni(join(folder, 'bin/twinlane'), env, config)
}

/** `<address> <handle>` of every address that a pod holds. */
async function allocations(): Promise<string[]> {
  const held = (await kube.list(ipamBlocks)).items.flatMap(allocationsOf)
  return held
    .filter(({ attributes }) => attributes.secondary?.pod !== undefined)
    .map(({ address, attributes }) => `${address} ${attributes.handle_id}`)
    .sort()
}

async function expectNothingLeft(): Promise<void> {
  expect(await allocations()).toEqual([])
  await expect.poll(async () => (await kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID)).toEqual([])
  expect(await readdir(join(folder, 'state/attachments'))).toEqual([])
}

async function addressIn(netns: string, device: string): Promise<string | undefined> {
  const [shown] = await ipJson(netns, '-4', 'address', 'show', 'dev', device)
  return (shown?.addr_info as { local: string }[] | undefined)?.[0]?.local
}

function addressesOf({ json }: CniOutcome): string[] {
  return ((json?.ips ?? []) as { address: string }[]).map(({ address }) => address)
}

test('bridge and macvlan of the reference plugins get addresses of a pool, with its length, routes and gateway; DEL gives them back', async () => {
  const web = await createSandbox('c1', 'web')
  const added = await call('ADD', web)
  expect(added).toMatchObject({ code: 0 })
  const [first] = addressesOf(added)
  expect(first).toMatch(/^10\.50\.0\.\d+\/24$/)
  const local = await addressIn(web.netns, 'eth1')
  expect(await allocations()).toEqual([`${first?.replace('/24', '')} base.c1`, `${local} more.c1.eth1`].sort())
  expect(await ipJson(web.netns, 'route', 'show', '10.99.0.0/16')).toMatchObject([
    { dst: '10.99.0.0/16', gateway: '10.50.0.254', dev: 'eth1' },
  ])
  expect(await call('CHECK', web)).toEqual({ code: 0, json: undefined })
  expect(await call('DEL', web)).toEqual({ code: 0, json: undefined })
  await expectNothingLeft()
})

test('the same ADD again has the same addresses', async () => {
  const web = await createSandbox('c1', 'web')
  const first = await call('ADD', web)
  const before = await allocations()
  expect(addressesOf(await call('ADD', web))).toEqual(addressesOf(first))
  expect(await allocations()).toEqual(before)
})

test('CHECK finds an address that is no longer the attachment’s', async () => {
  const pod = await createSandbox('c1', 'pod-0')
  await call('ADD', pod)
  const [block] = (await kube.list(ipamBlocks)).items.filter(({ spec }) => spec.cidr.startsWith('10.50.'))
  const { spec } = block ?? {}
  if (block === undefined || spec === undefined) throw new Error('there is no block')
  const allocations = spec.allocations.map(() => null)
  const unallocated = allocations.map((_, index) => index)
  await kube.update(ipamBlocks, { ...block, spec: { ...spec, allocations, attributes: [], unallocated } })
  await expect.poll(async () => (await call('CHECK', pod)).json?.msg).toContain('is allocated to base.c1')
})

test('addresses that args.cni.ips asks for are given, also one that is usually avoided', async () => {
  const pod = await createSandbox('c1', 'pod-0')
  const asking = { ...base, isGateway: false, args: { cni: { ips: ['10.50.0.1/24'] } } }
  const added = await call('ADD', pod, asking)
  expect(added).toMatchObject({ code: 0 })
  expect(addressesOf(added)).toEqual(['10.50.0.1/24'])
  const other = await createSandbox('c2', 'pod-1')
  const { json } = await call('ADD', other, asking)
  expect(json?.msg).toContain('10.50.0.1')
  expect(await allocations()).toEqual(['10.50.0.1 base.c1'])
})

test('a pool whose other addresses are the network’s own is used up by one pod, and the refusal leaves nothing', async () => {
  const tiny = { ...bridge, ipam: fromPool('tiny') }
  const added = await call('ADD', await createSandbox('c1', 'pod-0'), tiny)
  expect(addressesOf(added)).toEqual(['10.51.0.2/30'])
  const second = await createSandbox('c2', 'pod-1')
  const { json } = await call('ADD', second, tiny)
  expect(json?.msg).toContain('plugin "bridge" failed ADD')
  expect(json?.msg).toContain('No IPs available in pools: [10.51.0.0/30]')
  expect(await allocations()).toEqual(['10.51.0.2 base.c1'])
  expect((await ipJson(second.netns, 'link')).map(({ ifname }) => ifname)).toEqual(['lo'])
})

test('forty pods at once, more than have their turn at a time, all get one', async () => {
  const sandboxes = await Promise.all(pods40.map((pod) => createSandbox(`c-${pod}`, pod)))
  const added = await Promise.all(sandboxes.map((sandbox) => call('ADD', sandbox)))
  expect(added.filter(({ code }) => code !== 0)).toEqual([])
  expect(new Set(added.flatMap(addressesOf)).size).toBe(40)
  await Promise.all(sandboxes.map((sandbox) => call('DEL', sandbox)))
  await expectNothingLeft()
}, 120_000)

test('GC gives back what belongs to no container of the runtime', async () => {
  const [kept, lost] = [await createSandbox('kept', 'pod-0'), await createSandbox('lost', 'pod-1')]
  await call('ADD', kept)
  await call('ADD', lost)
  const valid = { 'cni.dev/valid-attachments': [{ containerID: 'kept', ifname: 'eth0' }] }
  expect(await call('GC', kept, base, valid)).toEqual({ code: 0, json: undefined })
  expect(await allocations()).toEqual([expect.stringContaining(' base.kept')])
})

test('an agent that was killed in an ADD takes it back when it starts, plugin and address', async () => {
  const pod = await createSandbox('c1', 'pod-0')
  await call('ADD', pod)
  await agent?.stop()
  const record = join(folder, 'state/attachments/c1@eth0.json')
  const [begun = ''] = (await readFile(record, 'utf8')).split('\n')
  await writeFile(record, `${begun}\n`)
  await startAgent()
  await expectNothingLeft()
  expect((await ipJson(pod.netns, 'link')).map(({ ifname }) => ifname)).toEqual(['lo'])
})

const hostLocal = (subnet: string): object => ({
  ...{ cniVersion: '1.0.0', name: 'base', type: 'calico' },
  ipam: { type: 'host-local', dataDir: join(folder, 'ipam'), ranges: [[{ subnet }]] },
})

async function leases(): Promise<string[]> {
  const names = await readdir(join(folder, 'ipam/base')).catch(() => [])
  return names.filter((name) => /^\d/.test(name))
}

test('a network of type calico with host-local has its addresses as /32, none of IPAM, and gives them back', async () => {
  const pod = await createSandbox('c1', 'pod-0')
  const added = await call('ADD', pod, hostLocal('10.60.0.0/24'))
  expect(added).toMatchObject({ code: 0 })
  expect(addressesOf(added)).toEqual(['10.60.0.2/32'])
  expect(await addressIn(pod.netns, 'eth0')).toBe('10.60.0.2')
  expect(await ipJson(node, 'route', 'show', '10.60.0.2')).toMatchObject([{ dev: expect.stringMatching(/^cali/) }])
  expect([await leases(), await allocations()]).toEqual([['10.60.0.2'], []])
  expect(await call('CHECK', pod)).toEqual({ code: 0, json: undefined })
  expect(await call('DEL', pod)).toEqual({ code: 0, json: undefined })
  expect(await leases()).toEqual([])
})

test('usePodCidr is what Kubernetes has given the node, and its absence is a refusal that leaves nothing', async () => {
  const pod = await createSandbox('c1', 'pod-0')
  const refused = await call('ADD', pod, hostLocal('usePodCidr'))
  expect(refused.json).toMatchObject({ code: 7, msg: expect.stringContaining('the Node has no podCIDR of IPv4') })
  const [self] = (await kube.list(nodes)).items
  await kube.update(nodes, {
    ...self,
    metadata: { ...self?.metadata, name: 'node' },
    spec: { podCIDR: '10.61.0.0/24' },
  })
  await expect.poll(async () => addressesOf(await call('ADD', pod, hostLocal('usePodCidr')))).toEqual(['10.61.0.2/32'])
})

test('an executable that is called for another type of address management says so', async () => {
  const pod = await createSandbox('c1', 'pod-0')
  const env = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: pod.netns, CNI_IFNAME: 'eth0' }
  const socket = { TWINLANE_SOCKET: join(folder, 'run/cni.sock') }
  const config = { ...bridge, ipam: { type: 'host-local' } }
  const { code, json } = await runCni(join(folder, 'bin/calico-ipam'), { ...env, ...socket }, config)
  expect(code).toBe(1)
  expect(json).toMatchObject({
    code: 7,
    msg: expect.stringContaining('"calico-ipam" was called and ipam.type is "host-local"'),
  })
})
