import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AttachmentStore } from '../../../src/agent/attachment-store.ts'
import type { CniContext } from '../../../src/agent/cni-server/context.ts'
import { createCniHandle } from '../../../src/agent/cni-server/handle.ts'
import { Devices } from '../../../src/agent/devices/devices.ts'
import { Networks } from '../../../src/agent/networks.ts'
import { StatusWriter } from '../../../src/agent/status-writer.ts'
import { Calm } from '../../../src/base/calm.ts'
import { KeyedLock } from '../../../src/base/keyed-lock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { type CniServer, serveCni } from '../../../src/cni/socket.ts'
import { encodeRequest } from '../../../src/cni/wire.ts'
import { createFakeKernel } from '../../../src/kernel/fake.ts'
import { createFakeKube } from '../../../src/kube/fake.ts'
import { createInformer } from '../../../src/kube/informer.ts'
import { type PodResource, pods } from '../../../src/kube/resources/core.ts'
import {
  type NetworkAttachmentDefinition,
  networkAttachmentDefinitions,
} from '../../../src/kube/resources/net-attach-def.ts'
import type { NetworkDriver } from '../../../src/networks/driver.ts'
import { createFakeNetwork, type FakeNetwork } from '../../contract/fake-driver.ts'

/** Never the namespace that the test itself is in. */
export const netns = '/proc/self/ns/mnt'

/** What the agent answers, as the shim sees it. */
export interface Answer {
  readonly code: number
  readonly json: Record<string, unknown> | undefined
}

export interface ServedNetworks {
  readonly all: readonly FakeNetwork[]
  readonly find: (type: string) => NetworkDriver
}

/**
 * The agent's CNI side on its socket, over a kernel, an API and networks in memory: one pod, default/web, one
 * definition, default/second.
 */
export class ServedAgent {
  readonly #networks: ServedNetworks
  readonly #folder: string
  readonly #server: CniServer
  readonly #objects: Objects
  readonly #stop: AbortController
  readonly #statusWriter: StatusWriter

  private constructor(parts: {
    networks: ServedNetworks
    folder: string
    server: CniServer
    objects: Objects
    stop: AbortController
    statusWriter: StatusWriter
  }) {
    this.#networks = parts.networks
    this.#folder = parts.folder
    this.#server = parts.server
    this.#objects = parts.objects
    this.#stop = parts.stop
    this.#statusWriter = parts.statusWriter
  }

  /** `plugins` are executables that the node has. */
  static async start(
    networks: ServedNetworks = twoNetworks(),
    { plugins = [] }: { plugins?: readonly string[] } = {},
  ): Promise<ServedAgent> {
    const folder = await mkdtemp(join(tmpdir(), 'fuzz-'))
    await mkdir(join(folder, 'bin'))
    for (const plugin of plugins) await writeFile(join(folder, 'bin', plugin), '')
    const stop = new AbortController()
    const objects = { pod: podWith(undefined), definition: definitionWith('{"cniVersion":"1.0.0","type":"second"}') }
    const statusWriter = new StatusWriter(createFakeKube(), silentLog, new Calm())
    const context = await createContext({ folder, networks, objects, statusWriter, stop })
    const server = await serveCni({
      socketPath: join(folder, 'cni.sock'),
      handle: createCniHandle(context),
      log: silentLog,
    })
    return new ServedAgent({ networks, folder, server, objects, stop, statusWriter })
  }

  async stop(): Promise<void> {
    await this.#server.close()
    this.#stop.abort()
    await this.#statusWriter.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  annotate(networks: string | undefined): void {
    this.#objects.pod = podWith(networks)
  }

  /** Gives default/second another configuration. */
  define(config: string): void {
    this.#objects.definition = definitionWith(config)
  }

  get pod(): PodResource {
    return this.#objects.pod
  }

  get definition(): NetworkAttachmentDefinition {
    return this.#objects.definition
  }

  /** Everything attached is forgotten by the networks. */
  forget(): void {
    for (const network of this.#networks.all) network.attached.clear()
  }

  /** Interfaces that a container has. */
  attachedTo(containerId: string): string[] {
    const keys = this.#networks.all.flatMap(({ attached }) => [...attached.keys()])
    return keys.filter((key) => key.startsWith(`${containerId}/`))
  }

  /** Sends a frame as it is, and ends when it is not to be answered whole; resolves with the answer, or undefined when there is none. */
  send(frame: Buffer, { isWhole = true } = {}): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.#folder, 'cni.sock'))
      const chunks: Buffer[] = []
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('error', reject)
      socket.on('close', () => resolve(readAnswer(Buffer.concat(chunks))))
      if (isWhole) socket.write(frame)
      else socket.end(frame)
    })
  }
}

/** The shim's frame. */
export function frameOf(env: Readonly<Record<string, string>>, stdin: string): Buffer {
  return encodeRequest({ pluginName: 'twinlane', env, stdin })
}

function readAnswer(bytes: Buffer): Answer | undefined {
  const [code] = bytes
  if (code === undefined) return undefined
  const text = bytes.toString('utf8', 1)
  return { code, json: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>) }
}

function podWith(networks: string | undefined): PodResource {
  const annotations = networks === undefined ? {} : { 'k8s.v1.cni.cncf.io/networks': networks }
  return { metadata: { name: 'web', namespace: 'default', uid: 'u', annotations } }
}

function definitionWith(config: string): NetworkAttachmentDefinition {
  return { metadata: { name: 'second', namespace: 'default' }, spec: { config } }
}

/** What the agent's informers hold now. */
interface Objects {
  pod: PodResource
  definition: NetworkAttachmentDefinition
}

function twoNetworks(): ServedNetworks {
  const [first, second] = [createFakeNetwork({ type: 'first' }), createFakeNetwork({ type: 'second' })]
  return { all: [first, second], find: (type) => (type === 'first' ? first : second).driver }
}

async function createContext(parts: {
  folder: string
  networks: ServedNetworks
  objects: Objects
  statusWriter: StatusWriter
  stop: AbortController
}): Promise<CniContext> {
  const { folder, networks, objects, statusWriter, stop } = parts
  const kube = createFakeKube()
  const definitions = createInformer(kube, networkAttachmentDefinitions, { log: silentLog })
  const podInformer = createInformer(kube, pods, { log: silentLog })
  await Promise.all([definitions.start(stop.signal), podInformer.start(stop.signal)])
  podInformer.get = (name, namespace) => (name === 'web' && namespace === 'default' ? objects.pod : undefined)
  definitions.get = (name, namespace) => (name === 'second' && namespace === 'default' ? objects.definition : undefined)
  const kernel = createFakeKernel()
  kernel.addNetns(netns)
  // The networks in memory make no interfaces that something could be routed by.
  kernel.apply = async () => {}
  const store = new AttachmentStore(join(folder, 'attachments'))
  await store.open()
  const at = (name: string): string => join(folder, name)
  return {
    kube,
    kernel,
    pods: podInformer,
    definitions,
    networks: new Networks(networks.all, networks.find),
    devices: new Devices({ kubeletFolder: at('kubelet'), deviceInfoFolder: at('devinfo') }),
    store,
    events: { event: () => {} },
    calm: new Calm(),
    containers: new KeyedLock(),
    statusWriter,
    log: silentLog,
    paths: {
      stateFolder: at('state'),
      runFolder: at('run'),
      birdSocket: at('bird.ctl'),
      birdConfigFile: at('bird.conf'),
      ovsdbSocket: at('db.sock'),
      cniBinFolders: [at('bin')],
    },
  }
}
