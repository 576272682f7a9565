import type { Log } from '../../../base/log.ts'
import type { EventRecorder } from '../../../kube/events.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { KubeletConfig } from '../config.ts'
import type { NetworkConfigFolder } from '../network/config-folder.ts'
import type { ContainerRuntime } from '../runtime/runtime.ts'
import type { Containers } from './containers.ts'
import type { PodFacts } from './env.ts'
import { type PodPlan, planPod } from './plan.ts'
import type { Probes } from './probes.ts'
import type { SandboxRecord } from './record.ts'
import type { RecordStore } from './record-store.ts'
import type { Sandboxes } from './sandboxes.ts'

/** What the work on a pod needs. */
export interface PodDeps {
  readonly config: KubeletConfig
  readonly log: Log
  readonly events: EventRecorder
  readonly records: RecordStore
  readonly runtime: ContainerRuntime
  readonly sandboxes: Sandboxes
  readonly containers: Containers
  readonly probes: Probes
  readonly network: NetworkConfigFolder
  /** Asks for another pass over the pod, now or at a time. */
  wake(uid: string, atMs?: number): void
  /** Asks for the pod's status to be written. */
  reportStatus(uid: string): void
}

/** The plan for a pod as its record stands now; undefined before there is a record. */
export function planOf(deps: PodDeps, pod: PodResource): PodPlan | undefined {
  const record = deps.records.get(pod.metadata.uid ?? '')
  if (record === undefined) return undefined
  const { restartBackoffSeconds, maxRestartBackoffSeconds } = deps.config
  const limits = { initialMs: restartBackoffSeconds * 1000, maxMs: maxRestartBackoffSeconds * 1000 }
  return planPod({ pod, record, nowMs: Date.now(), limits })
}

/** What the node knows of the pod, for environment, host name and files. */
export function factsOf(config: KubeletConfig, pod: PodResource, sandbox: SandboxRecord | undefined): PodFacts {
  const isOnHost = pod.spec?.hostNetwork === true
  return {
    hostname: isOnHost ? config.nodeName : (pod.spec?.hostname ?? pod.metadata.name).slice(0, 63).replace(/[-.]+$/, ''),
    hostIp: config.nodeIp,
    podIps: isOnHost ? [config.nodeIp] : (sandbox?.ips ?? []),
  }
}

/** Lists carry no kind for their items; an event needs it. */
export function podReference(pod: PodResource): PodResource {
  return { ...pod, apiVersion: 'v1', kind: 'Pod' }
}
