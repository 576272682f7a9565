import { type ChildProcess, execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { exec, spawnProcess } from '../../../src/base/exec.ts'
import { createKubeClient } from '../../../src/kube/client.ts'
import { loadKubeConfig } from '../../../src/kube/kubeconfig.ts'
import { nodes, pods } from '../../../src/kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../../src/kube/resources/net-attach-def.ts'
import { installResources } from '../../../src/lab/install-resources.ts'
import { allocationsOf } from '../../../src/networks/routed/ipam/block.ts'
import { isEarlyHandle } from '../../../src/networks/routed/ipam/handles.ts'
import { ipamBlocks, ipamHandles } from '../../../src/networks/routed/resources.ts'
import { makeTestFolder, removeTestFolder, testDefinition, testPod } from '../../support/agent.ts'
import { startTestApiServer, type TestApiServer } from '../../support/api-server.ts'
import { childReady } from '../../support/child-ready.ts'
import { buildShim, type CniOutcome } from '../../support/cni.ts'
import { ip, ipJson, removeNetns } from '../../support/netns.ts'

const host = '/proc/self/ns/net'

type Client = ReturnType<typeof createKubeClient>

/** What a sandbox is to a container runtime. */
export interface Sandbox {
  readonly containerId: string
  readonly netns: string
  readonly podName: string
}

/** A CNI call under way. */
export interface CniCall {
  readonly outcome: Promise<CniOutcome>
  kill(): void
}

export interface AgentNodeOptions {
  /** Puts something between the agent and the API server. */
  readonly kubeconfigFor?: (server: TestApiServer) => Promise<string>
  /** Of the agent to the API server. @default the agent's own */
  readonly requestTimeoutMs?: number | undefined
  /** Which plugin gives the bridge's addresses: another's, or ours, which that bridge asks in turn. @default host-local */
  readonly bridgeIpam?: 'host-local' | 'calico-ipam'
}

/**
 * A node: the test's own network namespace, a real API server, and the agent as a process that can be killed. Its pods
 * have three networks: routed (eth0), routed again (net1) and the reference plugin bridge (net2).
 */
export class AgentNode {
  readonly kube: Client
  readonly #server: TestApiServer
  /** What the agent reaches the API server by. */
  readonly #kubeconfig: string
  readonly #folder: string
  readonly #shim: string
  readonly #options: AgentNodeOptions
  #agent: ChildProcess | undefined

  private constructor(parts: {
    kube: Client
    server: TestApiServer
    kubeconfig: string
    folder: string
    shim: string
    options: AgentNodeOptions
  }) {
    this.kube = parts.kube
    this.#server = parts.server
    this.#kubeconfig = parts.kubeconfig
    this.#folder = parts.folder
    this.#shim = parts.shim
    this.#options = parts.options
  }

  static async create(options: AgentNodeOptions = {}): Promise<AgentNode> {
    const folder = await makeTestFolder()
    const [server, shim] = await Promise.all([startTestApiServer(), buildShim(folder), bundleAgent(folder)])
    const kube = createKubeClient(await loadKubeConfig(server.kubeconfig))
    await installResources(kube)
    await kube.create(nodes, { metadata: { name: 'node' } })
    const kubeconfig = (await options.kubeconfigFor?.(server)) ?? server.kubeconfig
    const node = new AgentNode({ kube, server, kubeconfig, folder, shim, options })
    await kube.create(networkAttachmentDefinitions, testDefinition('again', routed('again')))
    await kube.create(networkAttachmentDefinitions, testDefinition('bridge', node.#bridge()))
    await exec('ip', ['link', 'add', 'ens2', 'type', 'bridge'])
    await exec('ip', ['address', 'add', '192.168.100.101/24', 'dev', 'ens2'])
    await exec('ip', ['link', 'set', 'ens2', 'up'])
    return node
  }

  async remove(): Promise<void> {
    await this.killAgent()
    await this.kube.close()
    await this.#server.stop()
    for (const table of [
      ['inet', 'twinlane-routed'],
      ['inet', 'twinlane-senders'],
      ['arp', 'twinlane-senders'],
    ])
      await exec('nft', ['delete', 'table', ...table], { okCodes: [0, 1] })
    for (const name of ['ens2', 'br-kill']) await exec('ip', ['link', 'delete', name], { okCodes: [0, 1] })
    await removeTestFolder(this.#folder)
  }

  /** Starts the agent's process without waiting for it. */
  spawnAgent(): { ready: Promise<void> } {
    const args = [join(this.#folder, 'bundle/routed-agent-process.js'), this.#folder, this.#shim]
    const { requestTimeoutMs } = this.#options
    const agent = spawnProcess(process.execPath, [...args, this.#kubeconfig], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        ...(requestTimeoutMs === undefined ? {} : { TWINLANE_TEST_REQUEST_TIMEOUT_MS: String(requestTimeoutMs) }),
      },
    })
    this.#agent = agent
    const ready = childReady(agent, 'the agent')
    ready.catch(() => {})
    return { ready }
  }

  async startAgent(): Promise<void> {
    await this.spawnAgent().ready
  }

  /** SIGTERM is the ordinary stop. */
  async killAgent(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const agent = this.#agent
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return
    const ended = new Promise((resolve) => agent.once('exit', resolve))
    agent.kill(signal)
    await ended
  }

  /** As the host is after a restart: no agent, no interface of a pod, nothing in /run; disks are as they were. */
  async reboot(sandboxes: readonly Sandbox[]): Promise<void> {
    await this.killAgent()
    for (const { netns } of sandboxes) await removeNetns(netns)
    for (const { ifname } of await ipJson(host, 'link', 'show', 'type', 'veth')) {
      await exec('ip', ['link', 'delete', String(ifname)], { okCodes: [0, 1] })
    }
    await exec('ip', ['link', 'delete', 'br-kill'], { okCodes: [0, 1] })
    await rm(join(this.#folder, 'run'), { recursive: true, force: true })
  }

  /** Resident memory of the agent. */
  async agentMemoryBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#agent?.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
  }

  async createPod(name: string, networks = 'again,bridge'): Promise<void> {
    await this.kube.create(pods, {
      ...testPod(name, networks),
      spec: { nodeName: 'node', containers: [{ name: 'c', image: 'none' }] },
    })
  }

  /** Edits the networks annotation. */
  async annotatePod(name: string, networks: string): Promise<void> {
    const body = { metadata: { annotations: { 'k8s.v1.cni.cncf.io/networks': networks } } }
    await this.kube.patch(pods, name, { type: 'merge', body }, { namespace: 'default' })
  }

  /** Interfaces that network-status tells of. */
  async toldInterfaces(name: string): Promise<string[]> {
    const { annotations } = (await this.kube.get(pods, name, 'default')).metadata
    const status: unknown = JSON.parse(annotations?.['k8s.v1.cni.cncf.io/network-status'] ?? '[]')
    return (status as { interface: string }[]).map((item) => item.interface).sort()
  }

  async deletePod(name: string): Promise<void> {
    await this.kube.delete(pods, name, { namespace: 'default', gracePeriodSeconds: 0 })
  }

  /** Executes the plugin as a runtime does. */
  call(command: 'ADD' | 'DEL' | 'CHECK', { containerId, netns, podName }: Sandbox): CniCall {
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/usr/lib/cni',
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${podName}`,
      TWINLANE_SOCKET: join(this.#folder, 'run/cni.sock'),
    }
    let kill = (): void => {}
    const outcome = new Promise<CniOutcome>((resolve) => {
      const child = execFile(join(this.#folder, 'bin/twinlane'), [], { env }, (error, stdout) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, json: code !== -1 && stdout.trim() !== '' ? JSON.parse(stdout) : undefined })
      })
      kill = () => child.kill('SIGKILL')
      child.stdin?.on('error', () => {})
      child.stdin?.end(JSON.stringify(netConf))
    })
    return { outcome, kill }
  }

  /** Addresses that are taken for a pod that has no container yet. */
  async claimsFor(podName: string): Promise<string[]> {
    const { uid = '' } = (await this.kube.get(pods, podName, 'default')).metadata
    const allocations = (await this.kube.list(ipamBlocks)).items.flatMap(allocationsOf)
    return allocations.filter(({ attributes }) => isClaimedFor(uid, attributes.handle_id)).map(({ address }) => address)
  }

  /** Everything that pods are known to make, and that is not taken for one that is still to come, for a comparison with nothing. */
  async traces(): Promise<Record<string, readonly string[]>> {
    const blocks = (await this.kube.list(ipamBlocks)).items
    const handles = (await this.kube.list(ipamHandles)).items
    const waiting = (await this.kube.list(pods)).items.map(({ metadata }) => metadata.uid ?? '')
    const routes = (await ip(host, 'route')).split('\n').filter((line) => line.includes('cali'))
    const rules = (await ip(host, 'rule')).split('\n').filter((line) => !/^(0|3276[67]):|^$/.test(line))
    return {
      veths: (await ipJson(host, 'link', 'show', 'type', 'veth')).map((link) => String(link.ifname)),
      routes,
      rules,
      records: await readdir(join(this.#folder, 'state/attachments')),
      leases: (await readdir(join(this.#folder, 'ipam/bridge')).catch(() => [])).filter((name) => /^\d/.test(name)),
      allocations: blocks
        .flatMap(allocationsOf)
        .filter(({ attributes: { handle_id } }) => !waiting.some((uid) => isClaimedFor(uid, handle_id)))
        .map(({ address }) => address),
      handles: handles.map(({ metadata }) => metadata.name),
    }
  }

  #bridge(): object {
    const range = { subnet: '10.99.0.0/16' }
    const hostLocal = { type: 'host-local', dataDir: join(this.#folder, 'ipam'), ranges: [[range]] }
    const ipam = this.#options.bridgeIpam === 'calico-ipam' ? { type: 'calico-ipam' } : hostLocal
    return { cniVersion: '1.0.0', name: 'bridge', type: 'bridge', bridge: 'br-kill', ipam }
  }
}

/** Taken when the pod was bound to the node, before it has a container. */
function isClaimedFor(uid: string, handleId: string | null | undefined): boolean {
  return handleId != null && isEarlyHandle(handleId) && handleId.includes(uid)
}

export const noTraces = { veths: [], routes: [], rules: [], records: [], leases: [], allocations: [], handles: [] }

/** Interfaces of a pod's namespace, without the loopback. */
export async function interfacesOf(netns: string): Promise<string[]> {
  const links = await ipJson(netns, 'link')
  return links
    .map(({ ifname }) => String(ifname))
    .filter((name) => name !== 'lo')
    .sort()
}

function routed(name: string): object {
  return { cniVersion: '1.0.0', name, type: 'calico', ipam: { type: 'calico-ipam' } }
}

const netConf = {
  cniVersion: '1.0.0',
  name: 'multus-cni-network',
  type: 'twinlane',
  delegates: [routed('k8s-pod-network')],
}

/** One file starts in a quarter of the time of its sources: a loop that kills it waits for little else. */
async function bundleAgent(folder: string): Promise<void> {
  await mkdir(join(folder, 'bundle'))
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
  const require = "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);"
  await build({
    entryPoints: ['test/support/routed-agent-process.ts', 'src/bin/kernel-worker.ts'],
    outdir: join(folder, 'bundle'),
    entryNames: '[name]',
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['koffi'],
    banner: { js: require },
    logLevel: 'warning',
  })
}
