import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Calm } from '../../src/base/calm.ts'
import { silentLog } from '../../src/base/log.ts'
import { createFakeKernel } from '../../src/kernel/fake.ts'
import { createFakeKube } from '../../src/kube/fake.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { nodes, pods } from '../../src/kube/resources/core.ts'
import type { NetworkDriver } from '../../src/networks/driver.ts'
import { routedDriver } from '../../src/networks/routed/driver.ts'
import { allocationsOf } from '../../src/networks/routed/ipam/block.ts'
import { ipamBlocks, ipamHandles } from '../../src/networks/routed/resources.ts'
import { serveQuietBird } from '../support/quiet-bird.ts'
import { type DriverWorld, driverContract } from './driver.ts'

driverContract('routed', createWorld)

async function createWorld(): Promise<DriverWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'routed-'))
  const stop = new AbortController()
  const kube = createFakeKube()
  const kernel = createFakeKernel()
  kernel.addDevice(undefined, 'ens2', { isUp: true })
  await kernel.apply(undefined, [{ op: 'ensureAddress', device: 'ens2', address: '192.168.100.101/24' }])
  kube.seed(nodes, { metadata: { name: 'work01' } })
  const birdSocket = join(folder, 'bird.ctl')
  const bird = await serveQuietBird(birdSocket)
  const informers = {
    pods: createInformer(kube, pods, { log: silentLog }),
    nodes: createInformer(kube, nodes, { log: silentLog }),
  }
  await Promise.all([informers.pods.start(stop.signal), informers.nodes.start(stop.signal)])
  const driver = routedDriver as NetworkDriver
  const settings = driver.parseSettings({ ipPoolCidr: '10.244.0.0/16', blockSize: 24 })
  const nodeSide = driver.nodeSide(settings, {
    ...informers,
    nodeName: 'work01',
    kube,
    kernel,
    log: silentLog,
    calm: new Calm(),
    events: { event: () => {} },
    paths: {
      stateFolder: join(folder, 'state'),
      runFolder: join(folder, 'run'),
      birdSocket,
      birdConfigFile: join(folder, 'bird.conf'),
      ovsdbSocket: '/nowhere',
      cniBinFolders: [],
    },
  })
  await nodeSide.start(stop.signal)
  return {
    driver,
    nodeSide,
    configList: {
      cniVersion: '0.3.1',
      name: 'k8s-pod-network',
      plugins: [{ cniVersion: '0.3.1', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam' } }],
    },
    async createPod(name) {
      const netns = `/run/netns/${name}`
      kernel.addNetns(netns)
      return { containerId: `container-${name}`, netns, pod: { namespace: 'default', name, uid: `uid-${name}` } }
    },
    removeNetns: async (netns) => kernel.removeNetns(netns),
    async inventory() {
      const links = (await kernel.links(undefined)).map((link) => `link ${link.name} ${link.alias}`)
      const routes = (await kernel.routes(undefined)).map((route) => `route ${route.destination} ${route.device}`)
      const blocks = (await kube.list(ipamBlocks)).items.flatMap(allocationsOf)
      const handles = (await kube.list(ipamHandles)).items.map(({ spec }) => `handle ${spec.handleID}`)
      return [...links, ...routes, ...blocks.map(({ address }) => `address ${address}`), ...handles].sort()
    },
    async breakNextAttach() {
      kernel.failNext((operation) => operation.op === 'ensureNeighbor', 'ENOMEM')
    },
    async stop() {
      await nodeSide.stop()
      stop.abort()
      bird.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
