import { arch, cpus, release, totalmem } from 'node:os'
import type { ContainerImage, NodeCondition, NodeSpec, NodeStatus, Taint } from 'kubernetes-types/core/v1.js'
import type { NodeResource } from '../../../kube/resources/core.ts'
import type { KubeletConfig } from '../config.ts'
import type { Image } from '../runtime/image.ts'

export interface NodeFacts {
  readonly config: KubeletConfig
  readonly images: readonly Image[]
  /** Whether the node can give pods a network. */
  readonly hasNetwork: boolean
  readonly version: string
  readonly machineId: string
  readonly bootId: string
  readonly now: string
}

/** The Node as it is created; what exists already only gets the labels and the status. */
export function buildNode(facts: NodeFacts): NodeResource {
  const { config } = facts
  const taints = config.taints.map((taint) => compact(taint)) as Taint[]
  const spec: NodeSpec = taints.length === 0 ? {} : { taints }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: config.nodeName, labels: nodeLabels(config), annotations: config.annotations },
    spec,
    status: buildNodeStatus(facts, undefined),
  }
}

/** The labels that a kubelet gives its node, and the configured ones. */
export function nodeLabels(config: KubeletConfig): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': goArch(),
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': goArch(),
    'kubernetes.io/hostname': config.nodeName,
    'kubernetes.io/os': 'linux',
    ...config.labels,
  }
}

/** The node's status: this kubelet's part anew, conditions that others wrote as they are. Pure. */
export function buildNodeStatus(facts: NodeFacts, before: NodeStatus | undefined): NodeStatus {
  const { config } = facts
  const capacity = {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: '110',
    'ephemeral-storage': '10Gi',
  }
  return {
    ...before,
    addresses: [
      { type: 'InternalIP', address: config.nodeIp },
      { type: 'Hostname', address: config.nodeName },
    ],
    capacity,
    allocatable: capacity,
    conditions: buildConditions(facts, before?.conditions ?? []),
    images: facts.images.map(describeImage),
    nodeInfo: nodeInfo(facts),
  } as NodeStatus
}

function buildConditions(facts: NodeFacts, before: readonly NodeCondition[]): NodeCondition[] {
  const { hasNetwork } = facts
  const problem = 'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network'
  const notReady = `${problem} plugin returns error: network plugin is not ready: cni config uninitialized`
  const verdicts: Omit<NodeCondition, 'lastHeartbeatTime' | 'lastTransitionTime'>[] = [
    pressure('MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    pressure('DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    pressure('PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    hasNetwork
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: notReady },
  ]
  const ours = verdicts.map((verdict): NodeCondition => {
    const old = before.find(({ type }) => type === verdict.type)
    const lastTransitionTime = old?.status === verdict.status ? (old.lastTransitionTime ?? facts.now) : facts.now
    return { ...verdict, lastHeartbeatTime: facts.now, lastTransitionTime }
  })
  const types = new Set(ours.map(({ type }) => type))
  return [...before.filter(({ type }) => !types.has(type)), ...ours]
}

function pressure(type: string, reason: string, message: string) {
  return { type, status: 'False', reason, message }
}

function nodeInfo(facts: NodeFacts): NodeStatus['nodeInfo'] {
  return {
    architecture: goArch(),
    bootID: facts.bootId,
    containerRuntimeVersion: 'crun://lab',
    kernelVersion: release(),
    kubeProxyVersion: '',
    kubeletVersion: facts.version,
    machineID: facts.machineId,
    operatingSystem: 'linux',
    osImage: 'Debian GNU/Linux',
    systemUUID: facts.machineId,
  }
}

function describeImage(image: Image): ContainerImage {
  const names = [`${image.repository}@${image.digest}`, `${image.repository}:latest`]
  return { names, sizeBytes: image.sizeBytes }
}

function goArch(): string {
  return arch() === 'x64' ? 'amd64' : arch()
}

function compact<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}
