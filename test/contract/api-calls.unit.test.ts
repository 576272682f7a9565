import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { AttachmentStore } from '../../src/agent/attachment-store.ts'
import type { CniContext } from '../../src/agent/cni-server/context.ts'
import { createCniHandle } from '../../src/agent/cni-server/handle.ts'
import { Devices } from '../../src/agent/devices/devices.ts'
import { Networks } from '../../src/agent/networks.ts'
import { StatusWriter } from '../../src/agent/status-writer.ts'
import { Calm } from '../../src/base/calm.ts'
import { KeyedLock } from '../../src/base/keyed-lock.ts'
import { silentLog } from '../../src/base/log.ts'
import type { CniCommand } from '../../src/cni/request.ts'
import { createFakeKernel } from '../../src/kernel/fake.ts'
import { createFakeKube } from '../../src/kube/fake.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { namespaces, nodes, pods } from '../../src/kube/resources/core.ts'
import { networkAttachmentDefinitions, networksAnnotation } from '../../src/kube/resources/net-attach-def.ts'
import type { NetworkDriver, NodePaths } from '../../src/networks/driver.ts'
import { routedDriver } from '../../src/networks/routed/driver.ts'
import { ipamHandles, ipPools } from '../../src/networks/routed/resources.ts'
import { serveQuietBird } from '../support/quiet-bird.ts'

/** The other namespaces of this process stand for those of pods: never the one that the agent itself is in. */
const namespacesOfPods = { first: '/proc/self/ns/mnt', second: '/proc/self/ns/uts' }
const newerNetns = '/proc/self/ns/ipc'
const kube = createFakeKube()
const kernel = createFakeKernel()
const stop = new AbortController()
let folder: string
let bird: Server
let context: CniContext

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'api-calls-'))
  bird = await serveQuietBird(join(folder, 'bird.ctl'))
  kernel.addDevice(undefined, 'ens2', { isUp: true })
  await kernel.apply(undefined, [{ op: 'ensureAddress', device: 'ens2', address: '192.168.100.101/24' }])
  seedCluster()
  context = await createContext()
  await context.networks.get('routed').nodeSide.start(stop.signal)
  // Claims a block of each pool: what a node does once.
  await call('ADD', 'first')
  // What a start looks for beside the first requests.
  await vi.waitFor(() => expect(listsOfHandles()).toBe(1))
})
afterAll(async () => {
  await context.statusWriter.stop()
  await context.networks.get('routed').nodeSide.stop()
  stop.abort()
  bird.close()
  await rm(folder, { recursive: true, force: true })
})

test('before the answer of an ADD with two networks only the two addresses are asked of the API', async () => {
  expect(await requestsDuring('ADD', 'second')).toEqual(['update ipamblocks', 'update ipamblocks'])
})

test('before the answer of its DEL only the two addresses are given back', async () => {
  expect(await requestsDuring('DEL', 'second')).toEqual(['update ipamblocks', 'update ipamblocks'])
})

test("a pod says the routed network's addresses in Calico's annotations, until its last sandbox is gone", async () => {
  const outputs = async () => {
    await context.statusWriter.idle()
    const { annotations = {} } = (await kube.get(pods, 'second', 'default')).metadata
    return ['podIP', 'podIPs', 'containerID'].map((key) => annotations[`cni.projectcalico.org/${key}`])
  }
  await call('ADD', 'second')
  const [address] = await outputs()
  expect(address).toMatch(/^10\.244\.\d+\.\d+\/32$/)
  expect(await outputs()).toEqual([address, address, 'second'])
  kernel.addNetns(newerNetns)
  await call('ADD', 'second', { containerId: 'newer', netns: newerNetns })
  const [newer] = await outputs()
  await call('DEL', 'second')
  expect(await outputs()).toEqual([newer, newer, 'newer'])
  await call('DEL', 'second', { containerId: 'newer', netns: newerNetns })
  expect(await outputs()).toEqual(['', '', ''])
})

function listsOfHandles(): number {
  return kube.requests.filter(({ verb, type }) => verb === 'list' && type === ipamHandles).length
}

async function requestsDuring(command: CniCommand, pod: keyof typeof namespacesOfPods): Promise<string[]> {
  const before = kube.requests.length
  await call(command, pod)
  return kube.requests.slice(before).map(({ verb, type }) => `${verb} ${type?.plural}`)
}

function call(command: CniCommand, pod: keyof typeof namespacesOfPods, sandbox: object = {}): Promise<unknown> {
  const request = {
    command,
    containerId: pod,
    netns: namespacesOfPods[pod],
    ifName: 'eth0',
    args: { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: pod },
    path: [],
    pluginName: 'twinlane',
    config: {
      cniVersion: '1.0.0',
      name: 'multus-cni-network',
      type: 'twinlane',
      delegates: [{ cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam' } }],
    },
  }
  return createCniHandle(context)({ ...request, ...sandbox }, stop.signal)
}

function seedCluster(): void {
  kube.seed(nodes, { metadata: { name: 'work01' } })
  kube.seed(namespaces, { metadata: { name: 'default' } })
  const annotations = { [networksAnnotation]: 'second@eth1' }
  for (const [name, netns] of Object.entries(namespacesOfPods)) {
    kernel.addNetns(netns)
    kube.seed(pods, { metadata: { name, namespace: 'default', annotations } })
  }
  kube.seed(
    ipPools,
    { metadata: { name: 'first' }, spec: { cidr: '10.244.0.0/16', blockSize: 24 } },
    { metadata: { name: 'second' }, spec: { cidr: '10.245.0.0/16', blockSize: 24, nodeSelector: '!all()' } },
  )
  const config = { cniVersion: '1.0.0', type: 'calico', ipam: { type: 'calico-ipam', ipv4_pools: ['second'] } }
  kube.seed(networkAttachmentDefinitions, {
    metadata: { name: 'second', namespace: 'default' },
    spec: { config: JSON.stringify(config) },
  })
}

async function createContext(): Promise<CniContext> {
  const shared = { nodeName: 'work01', kube, kernel, log: silentLog, calm: new Calm(), events: { event: () => {} } }
  const informers = {
    pods: createInformer(kube, pods, { log: silentLog }),
    nodes: createInformer(kube, nodes, { log: silentLog }),
    definitions: createInformer(kube, networkAttachmentDefinitions, { log: silentLog }),
  }
  await Promise.all(Object.values(informers).map((informer) => informer.start(stop.signal)))
  const paths = pathsIn(folder)
  const driver = routedDriver as NetworkDriver
  const settings = driver.parseSettings({ ipPoolCidr: '10.244.0.0/16', blockSize: 24 })
  const nodeSide = driver.nodeSide(settings, { ...shared, ...informers, paths })
  const store = new AttachmentStore(join(folder, 'attachments'))
  await store.open()
  return {
    ...shared,
    ...informers,
    networks: new Networks([{ driver, nodeSide }], () => driver),
    devices: new Devices({ kubeletFolder: join(folder, 'kubelet'), deviceInfoFolder: join(folder, 'devinfo') }),
    store,
    statusWriter: new StatusWriter(kube, silentLog, shared.calm),
    containers: new KeyedLock(),
    paths,
  }
}

function pathsIn(home: string): NodePaths {
  return {
    stateFolder: join(home, 'state'),
    runFolder: join(home, 'run'),
    birdSocket: join(home, 'bird.ctl'),
    birdConfigFile: join(home, 'bird.conf'),
    ovsdbSocket: '/nowhere',
    cniBinFolders: [],
  }
}
