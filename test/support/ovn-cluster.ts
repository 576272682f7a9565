import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Calm } from '../../src/base/calm.ts'
import type { Lifecycle } from '../../src/base/lifecycle.ts'
import { createLog, silentLog } from '../../src/base/log.ts'
import { waitFor } from '../../src/base/observable.ts'
import { parseConfigList } from '../../src/cni/config.ts'
import type { CniResult } from '../../src/cni/result.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Informer, KubeClient } from '../../src/kube/api.ts'
import { createFakeKube, type FakeKube } from '../../src/kube/fake.ts'
import { createInformer } from '../../src/kube/informer.ts'
import {
  type NodeResource,
  nodes as nodeType,
  type PodResource,
  pods as podType,
} from '../../src/kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../src/kube/resources/net-attach-def.ts'
import type { AttachRequest, NodeSide } from '../../src/networks/driver.ts'
import { type OvnConfig, type OvnSettings, parseOvnConfig, parseOvnSettings } from '../../src/networks/ovn/config.ts'
import { ovnDriver } from '../../src/networks/ovn/driver.ts'
import type { OvnSettingsFile } from '../../src/networks/process-config.ts'
import { ip, makeNetns, removeNetns } from './netns.ts'
import { makeFabric, type TestFabric, type TestNode } from './ovn.ts'

/** OVN_TEST_ENCAP=geneve runs the same tests over geneve; OVN_TEST_LOG=FILE writes what controller and agents log. */
export const encapType = process.env.OVN_TEST_ENCAP === 'geneve' ? 'geneve' : 'vxlan'
const logFile = process.env.OVN_TEST_LOG
const log =
  logFile === undefined
    ? silentLog
    : createLog({ name: 'test', level: 'debug', destination: { write: (line) => appendFileSync(logFile, line) } })

const config = {
  cniVersion: '0.4.0',
  name: 'ovn-kubernetes',
  type: 'ovn-k8s-cni-overlay',
  ipam: {},
  dns: {},
  logFile: '/var/log/ovn-kubernetes/ovn-k8s-cni-overlay.log',
  logLevel: '5',
}
const configList = { cniVersion: '0.4.0', name: config.name, plugins: [config] }

/** The annotation of the article. */
export const articleAnnotation = '[{"name": "yusur-ovn", "interface": "eth1", "default-route": ["10.144.0.1"]}]'

export interface TestPod {
  readonly name: string
  readonly netns: string
  readonly request: AttachRequest<OvnConfig>
  readonly result: CniResult
  readonly address: string
}

/** Settings that differ from the article's; a value of undefined takes one away. */
export type SettingsChanges = { readonly [K in keyof OvnSettingsFile]?: OvnSettingsFile[K] | undefined } & {
  readonly perNode?: (node: TestNode) => Partial<OvnSettingsFile>
  /** The southbound database takes TLS only. */
  readonly hasTls?: boolean
}

/** Controller and agents of the OVN network in this process, over real engines in two hosts' namespaces. */
export class OvnCluster {
  readonly fabric: TestFabric
  readonly nodeType = nodeType
  readonly kube: FakeKube = createFakeKube()
  readonly pods: Informer<PodResource> = createInformer(this.kube, podType, { log })
  readonly nodes: Informer<NodeResource> = createInformer(this.kube, nodeType, { log })
  readonly sides = new Map<string, NodeSide<OvnConfig>>()
  /** `reason: message` of every event. */
  readonly events: string[] = []
  readonly #stop = new AbortController()
  readonly #netns: string[] = []
  #controller: Lifecycle | undefined

  #changes: SettingsChanges

  private constructor(fabric: TestFabric, changes: SettingsChanges) {
    this.fabric = fabric
    this.#changes = changes
  }

  /** Hosts, databases and API, with neither controller nor agents. */
  static async make(changes: SettingsChanges = {}): Promise<OvnCluster> {
    const cluster = new OvnCluster(await makeFabric(changes), changes)
    for (const { name, management } of cluster.fabric.nodes) {
      const status = { addresses: [{ type: 'InternalIP', address: management }] }
      cluster.kube.seed(nodeType, { metadata: { name }, status } as NodeResource)
    }
    cluster.kube.seed(networkAttachmentDefinitions, {
      metadata: { name: 'yusur-ovn', namespace: 'default' },
      spec: { config: JSON.stringify(config) },
    })
    const { signal } = cluster.#stop
    await Promise.all([cluster.pods.start(signal), cluster.nodes.start(signal)])
    return cluster
  }

  /** As `make`, with everything started and every node annotated. */
  static async start(changes: SettingsChanges = {}): Promise<OvnCluster> {
    const cluster = await OvnCluster.make(changes)
    await cluster.startAll()
    return cluster
  }

  async startAll(): Promise<void> {
    await this.startController()
    for (const node of this.fabric.nodes) await this.startAgent(node)
    await this.ready()
  }

  /** Controller and agents end and start again with these settings instead. */
  async changeSettings(changes: SettingsChanges): Promise<void> {
    for (const side of this.sides.values()) await side.stop()
    await this.stopController()
    this.#changes = { ...this.#changes, ...changes }
    await this.startAll()
  }

  async close(): Promise<void> {
    for (const side of this.sides.values()) await side.stop()
    await this.stopController()
    this.#stop.abort()
    for (const netns of this.#netns) await removeNetns(netns)
    await this.fabric.close()
  }

  node(name: string): TestNode {
    const found = this.fabric.nodes.find((node) => node.name === name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  side(name: string): NodeSide<OvnConfig> {
    return this.sides.get(name)!
  }

  get hasController(): boolean {
    return this.#controller !== undefined
  }

  async startController(): Promise<void> {
    const { kube, pods, nodes } = this
    this.#controller = ovnDriver.clusterSide!(this.#settings(), { kube, log, events: this.#recorder(), pods, nodes })
    await this.#controller.start(this.#stop.signal)
  }

  async stopController(): Promise<void> {
    await this.#controller?.stop()
    this.#controller = undefined
  }

  async startAgent(node: TestNode, kernel: Kernel = node.kernel, kube: KubeClient = this.kube): Promise<void> {
    const side = await this.#createSide(node, kernel, kube)
    this.sides.set(node.name, side)
    await side.start(this.#stop.signal)
  }

  /** Stops the agent and takes everything back, as on a node that leaves. */
  async removeAgent(node: TestNode): Promise<void> {
    await this.sides.get(node.name)?.stop()
    this.sides.delete(node.name)
    const side = await this.#createSide(node, node.kernel, this.kube)
    await side.remove!(this.#stop.signal)
  }

  async #createSide(node: TestNode, kernel: Kernel, kube: KubeClient): Promise<NodeSide<OvnConfig>> {
    const { pods, nodes } = this
    const stateFolder = join(node.folder, 'state')
    await mkdir(stateFolder, { recursive: true })
    const paths = {
      stateFolder,
      runFolder: node.folder,
      birdSocket: '',
      birdConfigFile: '',
      ovsdbSocket: join(node.folder, 'db.sock'),
      cniBinFolders: [],
    }
    const common = { kube, log, pods, nodes, paths, events: this.#recorder() }
    const deps = { ...common, calm: new Calm(), nodeName: node.name, kernel }
    return ovnDriver.nodeSide(this.#settings(node), deps)
  }

  /** Resolves when every node has said that its gateway flows are in. */
  async ready(): Promise<void> {
    for (const { name } of this.fabric.nodes) {
      const look = () => this.nodes.get(name)?.metadata.annotations?.['k8s.ovn.org/l3-gateway-config']
      await waitFor(this.nodes, look, { what: `${name} to be annotated`, timeoutMs: 10_000 })
    }
  }

  async createPod(
    name: string,
    node: string,
    annotation = articleAnnotation,
    namespace = 'default',
  ): Promise<PodResource> {
    return await this.kube.create(podType, {
      metadata: { name, namespace, annotations: { 'k8s.v1.cni.cncf.io/networks': annotation } },
      spec: { nodeName: node, containers: [] },
    } as PodResource)
  }

  deletePod(name: string): Promise<void> {
    return this.kube.delete(podType, name, { namespace: 'default' })
  }

  /** What the controller has written on the pod. */
  annotationOf(name: string): string | undefined {
    return this.pods.get(name, 'default')?.metadata.annotations?.['k8s.ovn.org/pod-networks']
  }

  /** Seeds a definition in `default` whose configuration has these keys beside the usual ones. */
  addNetwork(name: string, keys: object, networkName = name): void {
    const config = { cniVersion: '0.4.0', name: networkName, type: 'ovn-k8s-cni-overlay', ...keys }
    const netAttachDefName = `default/${name}`
    this.kube.seed(networkAttachmentDefinitions, {
      metadata: { name, namespace: 'default' },
      spec: { config: JSON.stringify({ ...config, netAttachDefName }) },
    })
  }

  /** A network namespace and the ADD request for a pod that is there. */
  async prepare(pod: PodResource): Promise<AttachRequest<OvnConfig>> {
    const netns = await makeNetns()
    this.#netns.push(netns)
    await ip(netns, 'link', 'set', 'lo', 'up')
    return this.request(pod, { netns, nad: 'yusur-ovn', ifName: 'eth1' })
  }

  /** The ADD request for one more network of a pod. */
  async request(
    pod: PodResource,
    at: { netns: string; nad: string; ifName: string },
  ): Promise<AttachRequest<OvnConfig>> {
    const { name, namespace = 'default', uid = '' } = pod.metadata
    const definition = await this.kube.get(networkAttachmentDefinitions, at.nad, 'default')
    const list = at.nad === 'yusur-ovn' ? configList : parseConfigList(definition?.spec?.config ?? '')
    return {
      containerId: this.#containerOf(at.netns),
      ifName: at.ifName,
      pod: { namespace, name, uid },
      netns: at.netns,
      config: parseOvnConfig(list),
      configList: list,
      networkName: `default/${at.nad}`,
      nad: { namespace: 'default', name: at.nad },
      args: {},
      isDefault: false,
      requested: {},
    }
  }

  /** One container a namespace. */
  #containerOf(netns: string): string {
    const index = this.#netns.indexOf(netns) + 1
    return (0xabc000 + index).toString(16).padEnd(64, '0')
  }

  attach(node: string, request: AttachRequest<OvnConfig>): Promise<CniResult> {
    return this.side(node).attach(request, this.#stop.signal)
  }

  detach(node: string, request: AttachRequest<OvnConfig>): Promise<void> {
    return this.side(node).detach(request, this.#stop.signal)
  }

  /** Creates and attaches a pod, with the default route that the meta-plugin would set. */
  async runPod(name: string, node: string, namespace = 'default'): Promise<TestPod> {
    const annotation = articleAnnotation.replace('"yusur-ovn"', '"yusur-ovn", "namespace": "default"')
    const request = await this.prepare(await this.createPod(name, node, annotation, namespace))
    const result = await this.attach(node, request)
    const [address] = result.ips
    await ip(request.netns, 'route', 'add', 'default', 'via', address!.gateway!, 'dev', 'eth1')
    return { name, netns: request.netns, request, result, address: address!.address.split('/')[0]! }
  }

  vsctl(node: string, ...args: string[]): string {
    const database = `--db=unix:${this.node(node).folder}/db.sock`
    return execFileSync('ovs-vsctl', [database, '--timeout=10', ...args], { encoding: 'utf8' }).trim()
  }

  nbctl(...args: string[]): string {
    return execFileSync('ovn-nbctl', [`--db=unix:${this.fabric.folder}/nb.sock`, ...args], { encoding: 'utf8' }).trim()
  }

  sbctl(...args: string[]): string {
    return execFileSync('ovn-sbctl', [`--db=unix:${this.fabric.folder}/sb.sock`, ...args], { encoding: 'utf8' }).trim()
  }

  /** What the node has said of its gateway. */
  kubeGateway(node: string): Record<string, unknown> {
    const text = this.nodes.get(node)?.metadata.annotations?.['k8s.ovn.org/l3-gateway-config'] ?? '{}'
    return (JSON.parse(text) as { default: Record<string, unknown> }).default
  }

  portGone(name: string): Promise<void> {
    return eventually(() => !['n1', 'n2'].some((node) => this.nbctl('lsp-list', node).includes(`(${name})`)))
  }

  #recorder() {
    return {
      event: (_about: object, _type: string, reason: string, message: string) =>
        void this.events.push(`${reason}: ${message}`),
    }
  }

  #settings(node?: TestNode): OvnSettings {
    const { perNode, hasTls: _, ...changes } = this.#changes
    return parseOvnSettings({
      netCidr: '10.144.0.0/16',
      svcCidr: '10.96.0.0/16',
      gatewayInterface: 'ens3',
      gatewayNextHop: '192.168.200.1',
      multicastEnabled: true,
      disableSnatMultipleGateways: true,
      disablePacketMtuCheck: true,
      encapType,
      northbound: this.fabric.northbound,
      southbound: this.fabric.southbound,
      tls: this.fabric.tls,
      ...changes,
      ...(node === undefined ? {} : perNode?.(node)),
    })
  }
}

/** Looks again and again: for what tells nobody of its changes. */
export async function eventually(look: () => boolean | Promise<boolean>, timeoutMs = 5000): Promise<void> {
  for (let n = 0; n < timeoutMs / 10; n++) {
    if (await look()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`never came true: ${look}`)
}
