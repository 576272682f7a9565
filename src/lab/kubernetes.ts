import { writeFile } from 'node:fs/promises'
import type { Log } from '../base/log.ts'
import { waitFor } from '../base/observable.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Informer } from '../kube/api.ts'
import { type ClosableKubeClient, createKubeClient } from '../kube/client.ts'
import { createInformer } from '../kube/informer.ts'
import { parseKubeConfig } from '../kube/kubeconfig.ts'
import { type NodeResource, nodes as nodeType } from '../kube/resources/core.ts'
import { registerAdmission } from './admission.ts'
import { startApiServer } from './apiserver/api-server.ts'
import { controlPlaneOf, type LabConfig, type LabNode, managementAddress } from './config.ts'
import { startEndpointSliceController } from './control-plane/endpoint-slice-controller.ts'
import { startScheduler } from './control-plane/scheduler.ts'
import { installResources } from './install-resources.ts'
import { renderKubeconfig } from './kubeconfig.ts'
import type { Lab } from './lab.ts'
import { apiPort, nodeFiles, writeNodeFiles } from './node-files.ts'
import { connectFrom } from './outgoing.ts'
import type { Pki } from './pki.ts'
import { startProcess, stopAll } from './start-engines.ts'
import type { SupervisedProcess } from './supervised-process.ts'

const readyTimeoutMs = 60_000

/** V8 with little room for garbage and one helper thread: 18 MB less a process (Node.js 20, 2 processors). */
const smallProcess = ['--max-semi-space-size=2', '--v8-pool-size=1']

/** The API server with the networks' kinds, on loopback and in the control-plane node. Resolves with the admin's client. */
export async function startApi(lab: Lab, kernel: Kernel, pki: Pki): Promise<ClosableKubeClient> {
  const controlPlane = controlPlaneOf(lab.config)
  const host = managementAddress(lab.config, controlPlane)
  const fd = await kernel.listenTcp(lab.node(controlPlane.name).netns, host, apiPort)
  const server = await startApiServer({
    dataFolder: lab.state.apiFolder,
    tls: { ...pki.server, clientCa: pki.ca },
    listeners: [{ host: '127.0.0.1', port: 0 }, { fd }],
    serviceCidr: lab.config.ovn.svcCidr,
    advertise: { host, port: apiPort },
    kubeletSocket: (name) => kubeletSocket(lab, name),
    connect: connectFrom(kernel, lab.node(controlPlane.name).netns, addressesOf(lab.config)),
    log: lab.log.child({ part: 'api-server' }),
  })
  lab.onTakeDown('stop the API server', () => server.close())
  const url = `https://127.0.0.1:${server.ports[0]}`
  const text = renderKubeconfig({ labName: lab.config.name, server: url, ca: pki.ca, user: pki.admin })
  await writeFile(lab.state.kubeconfig, text, { mode: 0o600 })
  const kube = createKubeClient(await parseKubeConfig(text, lab.state.kubeconfig))
  lab.onTakeDown('close the client', () => kube.close())
  await installResources(kube)
  await registerAdmission(kube, lab.config, pki.ca)
  lab.api = [url, `https://${host}:${apiPort}`]
  return kube
}

/** What /etc/hosts says in every node. */
function addressesOf(config: LabConfig): Map<string, string> {
  return new Map([
    ['localhost', '127.0.0.1'],
    ...config.nodes.map((node) => [node.name, managementAddress(config, node)] as const),
  ])
}

/** The path goes through the node's first process, since a path of a unix socket has 107 bytes at most. */
function kubeletSocket(lab: Lab, name: string): string | undefined {
  const namespaces = lab.namespaces.get(name)
  return namespaces === undefined ? undefined : `${namespaces.root}${nodeFiles.kubeletSocket}`
}

/** Starts the scheduler and what keeps the endpoints of services, inside this process. */
export async function startControlLoops(lab: Lab, kube: ClosableKubeClient): Promise<void> {
  const stop = new AbortController()
  lab.onTakeDown('stop the scheduler', async () => stop.abort())
  const log = (part: string): Log => lab.log.child({ part })
  await Promise.all([
    startScheduler({ kube, log: log('scheduler') }, stop.signal),
    startEndpointSliceController({ kube, log: log('endpoints') }, stop.signal),
  ])
}

/** Starts the agents, the kubelets and the controller. */
export async function startAgents(lab: Lab, pki: Pki, signal: AbortSignal): Promise<void> {
  const { config, programs } = lab
  await Promise.all(
    config.nodes.map((node) => writeNodeFiles({ config, node, namespaces: lab.node(node.name), pki, programs })),
  )
  const started: SupervisedProcess[] = []
  lab.onTakeDown('stop agents, kubelets and controller', () => stopAll(started))
  await Promise.all(
    config.nodes
      .flatMap((node) => programsOf(lab, node))
      .map(async (spec) => {
        started.push(await startProcess(lab, spec, signal))
      }),
  )
}

function programsOf(lab: Lab, node: LabNode): Parameters<typeof startProcess>[1][] {
  const { programs } = lab
  const namespaces = lab.node(node.name)
  const run = (heapMb: number, script: string, config: string): string[] => [
    programs.node,
    `--max-old-space-size=${heapMb}`,
    ...smallProcess,
    script,
    '--config',
    config,
  ]
  const agent = run(48, programs.agent, nodeFiles.processConfig)
  const kubelet = run(48, programs.kubelet, nodeFiles.kubeletConfig)
  const controller = run(128, programs.controller, nodeFiles.controllerConfig)
  return [
    { name: 'agent', node: namespaces, command: agent, ready: { socket: nodeFiles.cniSocket } },
    { name: 'kubelet', node: namespaces, command: kubelet, ready: { socket: nodeFiles.kubeletSocket } },
    ...(node.name === lab.config.controlPlane ? [{ name: 'controller', node: namespaces, command: controller }] : []),
  ]
}

/** Resolves when every node has the condition Ready; the lab's status follows the condition from then on. */
export async function waitForNodes(options: {
  lab: Lab
  kube: ClosableKubeClient
  waiting: (text: string) => void
  signal: AbortSignal
}): Promise<void> {
  const { lab, waiting, signal } = options
  const nodes = createInformer(options.kube, nodeType, { log: lab.log.child({ part: 'nodes' }) })
  const stop = new AbortController()
  lab.onTakeDown('stop watching the nodes', async () => stop.abort())
  await nodes.start(stop.signal)
  nodes.onChange(() => lab.setReadyNodes(readyNames(nodes)))
  lab.setReadyNodes(readyNames(nodes))
  const look = (): true | undefined => {
    const names = missingNames(lab, nodes)
    if (names.length === 0) return true
    waiting(names.join(', '))
    return undefined
  }
  await waitFor(nodes, look, {
    what: 'all nodes to be Ready',
    timeoutMs: readyTimeoutMs,
    signal,
    detail: () => describeMissing(lab, nodes),
  })
}

function readyNames(nodes: Informer<NodeResource>): string[] {
  return nodes.list().flatMap((node) => (readyCondition(node)?.status === 'True' ? [node.metadata.name] : []))
}

/** The nodes that are not Ready, each with its reason. */
function describeMissing(lab: Lab, nodes: Informer<NodeResource>): string {
  const reasons = missingNames(lab, nodes).map((name) => describe(nodes.get(name), name))
  return reasons.join(', ')
}

function missingNames(lab: Lab, nodes: Informer<NodeResource>): string[] {
  const ready = new Set(readyNames(nodes))
  return lab.config.nodes.map((node) => node.name).filter((name) => !ready.has(name))
}

function readyCondition(node: NodeResource | undefined): { status: string; message?: string } | undefined {
  return node?.status?.conditions?.find((condition) => condition.type === 'Ready')
}

function describe(node: NodeResource | undefined, name: string): string {
  const condition = readyCondition(node)
  if (node === undefined) return `${name} (not registered)`
  return `${name} (${condition?.message ?? 'no Ready condition yet'})`
}
