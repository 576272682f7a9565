import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Calm } from '../../../src/base/calm.ts'
import { ExecError, exec, spawnProcess } from '../../../src/base/exec.ts'
import { silentLog } from '../../../src/base/log.ts'
import { queryBird } from '../../../src/bird/control.ts'
import { birdArguments, initialBirdConfig } from '../../../src/bird/daemon.ts'
import { type BirdProtocolState, parseProtocols } from '../../../src/bird/protocols.ts'
import type { CniResult } from '../../../src/cni/result.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { createKernel } from '../../../src/kernel/linux.ts'
import { createFakeKube, type FakeKube } from '../../../src/kube/fake.ts'
import { createInformer } from '../../../src/kube/informer.ts'
import { nodes, pods } from '../../../src/kube/resources/core.ts'
import type { AttachRequest, NodeSide } from '../../../src/networks/driver.ts'
import type { RoutedConfig } from '../../../src/networks/routed/config.ts'
import { routedDriver } from '../../../src/networks/routed/driver.ts'

export interface RoutedNode {
  readonly name: string
  readonly address: string
  readonly netns: string
  readonly nodeSide: NodeSide<RoutedConfig>
  readonly kernel: Kernel
  readonly birdSocket: string
  readonly birdConfigFile: string
  readonly events: string[]
  protocols(): Promise<BirdProtocolState[]>
  /** `fd00:100::…` of the node on the fabric, for an address in 192.168.100. */
  readonly address6: string
  /** `ip` in the node's namespace. */
  ip(...args: string[]): Promise<string>
  exec(command: string, ...args: string[]): Promise<string>
  /** A new agent in place of the old one. What happens in between is done meanwhile. */
  restart(meanwhile?: () => Promise<void>): Promise<void>
  startBird(): Promise<void>
  stopBird(signal?: NodeJS.Signals): Promise<void>
}

export interface TestPod {
  readonly request: AttachRequest<RoutedConfig>
  readonly netnsName: string
  exec(command: string, ...args: string[]): Promise<string>
}

export interface RoutedCluster {
  readonly kube: FakeKube
  readonly nodes: readonly RoutedNode[]
  /** `ipam`: of the CNI configuration. */
  createPod(name: string, ipam?: object): Promise<TestPod>
  attach(node: RoutedNode, pod: TestPod): Promise<{ result: CniResult; address: string }>
  stop(): Promise<void>
}

/**
 * The routed network on some nodes: real namespaces, real BIRDs, the real kernel; the Kubernetes API is the fake. Runs
 * only in a throw-away network and mount namespace of its own.
 */
export async function createRoutedCluster(
  addresses: Readonly<Record<string, string>>,
  settings: object = {},
): Promise<RoutedCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'routed-'))
  const stop = new AbortController()
  const kube = createFakeKube()
  const kernel = createKernel()
  const cleanups: (() => Promise<void>)[] = []
  // What crosses the bridge is none of the business of the tables that another test's agent has left in here.
  for (const family of ['iptables', 'ip6tables']) await leaveBridgesAlone(family)
  await exec('ip', ['link', 'add', 'fabric', 'type', 'bridge'])
  await exec('ip', ['link', 'set', 'fabric', 'up'])
  cleanups.push(async () => void (await exec('ip', ['link', 'del', 'fabric'])))

  async function addNode(name: string, address: string): Promise<RoutedNode> {
    const netns = `/run/netns/${name}`
    const home = join(folder, name)
    await mkdir(home, { recursive: true })
    await plugIn(name, address)
    cleanups.push(() => unplug(name))
    kube.seed(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name } } })
    const events: string[] = []
    const informers = {
      pods: createInformer(kube, pods, { log: silentLog }),
      nodes: createInformer(kube, nodes, { log: silentLog }),
    }
    await Promise.all([informers.pods.start(stop.signal), informers.nodes.start(stop.signal)])
    const birdSocket = join(home, 'bird.ctl')
    const birdConfigFile = join(home, 'bird.conf')
    await writeFile(birdConfigFile, initialBirdConfig(address))
    const create = (): NodeSide<RoutedConfig> =>
      routedDriver.nodeSide(
        routedDriver.parseSettings({
          ipPoolCidr: '10.244.0.0/16',
          blockSize: 24,
          ipAutodetectionMethod: 'interface=ens2',
          ...settings,
        }),
        {
          ...informers,
          nodeName: name,
          kube,
          kernel: kernelIn(kernel, netns),
          log: silentLog,
          calm: new Calm(),
          events: {
            event: (about, type, reason, message) =>
              events.push(`${type} ${reason} ${about.metadata.name}: ${message}`),
          },
          paths: {
            stateFolder: join(home, 'state'),
            runFolder: join(home, 'run'),
            birdSocket,
            birdConfigFile,
            ovsdbSocket: '/nowhere',
            cniBinFolders: [],
          },
        },
      )
    let nodeSide = create()
    let bird: ChildProcess | undefined
    const node: RoutedNode = {
      name,
      address,
      address6: address6Of(address),
      netns,
      get nodeSide() {
        return nodeSide
      },
      async restart(meanwhile) {
        await nodeSide.stop()
        await meanwhile?.()
        nodeSide = create()
        await nodeSide.start(stop.signal)
      },
      kernel: kernelIn(kernel, netns),
      birdSocket,
      birdConfigFile,
      events,
      protocols: async () => parseProtocols(await queryBird(birdSocket, 'show protocols all')),
      ip: async (...args) => (await exec('ip', ['-n', name, ...args])).stdout,
      exec: async (command, ...args) => (await exec('ip', ['netns', 'exec', name, command, ...args])).stdout,
      async startBird() {
        const args = birdArguments({ configFile: birdConfigFile, socket: birdSocket })
        bird = spawnProcess('ip', ['netns', 'exec', name, 'bird', ...args], { stdio: 'ignore' })
        await eventually(`BIRD of ${name}`, async () => void (await queryBird(birdSocket, 'show status')))
      },
      async stopBird(signal = 'SIGTERM') {
        const gone = bird?.exitCode === null ? new Promise((resolve) => bird?.once('exit', resolve)) : undefined
        bird?.kill(signal)
        await gone
      },
    }
    cleanups.push(() => node.stopBird('SIGKILL'))
    await node.startBird()
    await nodeSide.start(stop.signal)
    cleanups.push(() => nodeSide.stop())
    return node
  }

  const list: RoutedNode[] = []
  for (const [name, address] of Object.entries(addresses)) list.push(await addNode(name, address))
  return {
    kube,
    nodes: list,
    async createPod(name, ipam) {
      await exec('ip', ['netns', 'add', `pod-${name}`])
      await exec('ip', ['-n', `pod-${name}`, 'link', 'set', 'lo', 'up'])
      cleanups.push(async () => void (await exec('ip', ['netns', 'del', `pod-${name}`], { okCodes: [0, 1] })))
      return {
        request: requestFor(name, ipam),
        netnsName: `pod-${name}`,
        exec: async (command, ...args) => (await exec('ip', ['netns', 'exec', `pod-${name}`, command, ...args])).stdout,
      }
    },
    async attach(node, pod) {
      const result = await node.nodeSide.attach(pod.request, AbortSignal.timeout(60_000))
      return { result, address: result.ips[0]?.address.split('/')[0] ?? '' }
    },
    async stop() {
      stop.abort()
      for (const cleanup of cleanups.reverse()) await cleanup()
      await kernel.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function plugIn(name: string, address: string): Promise<void> {
  await exec('ip', ['netns', 'add', name])
  await exec('ip', ['link', 'add', `p-${name}`, 'type', 'veth', 'peer', 'name', 'ens2', 'netns', name])
  await exec('ip', ['link', 'set', `p-${name}`, 'master', 'fabric', 'up'])
  await exec('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  await exec('ip', ['-n', name, 'address', 'add', `${address}/24`, 'dev', 'ens2'])
  await exec('ip', ['-n', name, 'address', 'add', `${address6Of(address)}/64`, 'dev', 'ens2', 'nodad'])
  await exec('ip', ['-n', name, 'link', 'set', 'ens2', 'up'])
}

/** The cable first: a namespace's devices go some time after it, and the next cluster uses the names again. */
async function unplug(name: string): Promise<void> {
  await exec('ip', ['link', 'del', `p-${name}`], { okCodes: [0, 1] })
  await exec('ip', ['netns', 'del', name])
}

/** The node's number is its address' last byte, that of its subnet the byte before. */
function address6Of(address: string): string {
  const [, , subnet, number] = address.split('.')
  return `fd00:${subnet}::${number}`
}

function requestFor(name: string, ipam: object = {}): AttachRequest<RoutedConfig> {
  const configList = {
    cniVersion: '0.3.1',
    name: 'k8s-pod-network',
    plugins: [{ cniVersion: '0.3.1', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam', ...ipam } }],
  }
  return {
    containerId: `c-${name}`,
    ifName: 'eth0',
    netns: `/run/netns/pod-${name}`,
    pod: { namespace: 'default', name, uid: `uid-${name}` },
    config: routedDriver.parseConfig(configList),
    configList,
    networkName: 'k8s-pod-network',
    args: {},
    isDefault: true,
    requested: {},
  }
}

/** The kernel as a process inside the namespace sees it: what is said of no namespace is meant of that one. */
function kernelIn(kernel: Kernel, home: string): Kernel {
  return {
    ...kernel,
    apply: (netns, operations) => kernel.apply(netns ?? home, operations),
    applyEach: (batches) => kernel.applyEach(batches.map((batch) => ({ ...batch, netns: batch.netns ?? home }))),
    links: (netns) => kernel.links(netns ?? home),
    findLink: (netns, name) => kernel.findLink(netns ?? home, name),
    addresses: (netns, device) => kernel.addresses(netns ?? home, device),
    routes: (netns, options) => kernel.routes(netns ?? home, options),
    neighbors: (netns, device) => kernel.neighbors(netns ?? home, device),
    fdb: (netns, device) => kernel.fdb(netns ?? home, device),
    watch: (netns, onEvent, onResync, filter) => kernel.watch(netns ?? home, onEvent, onResync, filter),
    watchNft: (netns, onChange, onResync) => kernel.watchNft(netns ?? home, onChange, onResync),
    readSysctl: (netns, key) => kernel.readSysctl(netns ?? home, key),
    nft: (netns, commands) => kernel.nft(netns ?? home, commands),
    nftList: (netns, command) => kernel.nftList(netns ?? home, command),
  }
}

/** A kernel without br_netfilter has no such setting. */
async function leaveBridgesAlone(family: string): Promise<void> {
  const path = `/proc/sys/net/bridge/bridge-nf-call-${family}`
  if (existsSync(path)) await writeFile(path, '0')
}

/** Resolves with the first value of `look` that is neither undefined nor an exception; looks again until 15 seconds are over. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  timeoutMs = 15_000,
): Promise<T | undefined> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    try {
      return await look()
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${what}: not in ${timeoutMs} ms`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Whether a command ends well. */
export async function succeeds(task: Promise<unknown>): Promise<boolean> {
  try {
    await task
    return true
  } catch (error) {
    if (error instanceof ExecError) return false
    throw error
  }
}
