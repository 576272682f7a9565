import type { Container, ContainerState, ContainerStatus, PodStatus } from 'kubernetes-types/core/v1.js'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { Image } from '../runtime/image.ts'
import { buildConditions } from './conditions.ts'
import type { PodPlan } from './plan.ts'
import type { ContainerRecord, PodRecord } from './record.ts'

/** Why a container does not run. */
export interface Waiting {
  readonly reason: string
  readonly message?: string
}

export interface StatusInput {
  readonly pod: PodResource
  readonly record: PodRecord
  readonly plan: PodPlan
  readonly waiting: ReadonlyMap<string, Waiting>
  /** Ids of running containers whose probes say no. Without probes, running is ready. */
  readonly notReady: ReadonlySet<string>
  readonly notStarted: ReadonlySet<string>
  readonly images: readonly Image[]
  readonly nodeIp: string
  readonly startTime: string
  readonly now: string
}

/** The pod's whole status as a kubelet reports it. Pure. */
export function buildPodStatus(input: StatusInput): PodStatus {
  const { pod, record, nodeIp } = input
  const containers = (pod.spec?.containers ?? []).map((container) => containerStatus(container, input, false))
  const initContainers = (pod.spec?.initContainers ?? []).map((container) => containerStatus(container, input, true))
  const ips = pod.spec?.hostNetwork === true ? [nodeIp] : (record.sandbox?.ips ?? [])
  const phase = phaseOf(input, containers)
  return {
    phase,
    conditions: buildConditions({ input, phase, containers, initContainers }),
    hostIP: nodeIp,
    hostIPs: [{ ip: nodeIp }],
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: input.startTime,
    ...(initContainers.length === 0 ? {} : { initContainerStatuses: initContainers }),
    containerStatuses: containers,
    qosClass: pod.status?.qosClass ?? qosClassOf(pod),
  } as PodStatus
}

function phaseOf(input: StatusInput, containers: readonly ContainerStatus[]): string {
  const { plan, pod, record } = input
  if (plan.ended !== undefined) return plan.ended
  const initDone = (pod.spec?.initContainers ?? []).every(({ name, restartPolicy }) => {
    const current = record.containers[name]?.current
    return restartPolicy === 'Always' ? current?.startedAtMs !== undefined : current?.exitCode === 0
  })
  if (!initDone) return 'Pending'
  const neverRan = containers.some(
    (status) => status.state?.waiting !== undefined && status.lastState?.terminated === undefined,
  )
  return neverRan ? 'Pending' : 'Running'
}

function containerStatus(container: Container, input: StatusInput, isInit: boolean): ContainerStatus {
  const history = input.record.containers[container.name]
  const current = history?.current
  const isRunning = current?.state === 'running'
  const state = stateOf(container, input, isInit)
  const last = state.waiting !== undefined && current?.state === 'exited' ? current : history?.previous
  const image = input.images[0]
  const isReady = isRunning ? !input.notReady.has(current.id) : isInit && current?.exitCode === 0
  const isStarted = isRunning && !input.notStarted.has(current.id)
  return {
    name: container.name,
    state,
    lastState: last === undefined ? {} : { terminated: terminatedState(last) },
    ready: isReady,
    restartCount: current?.attempt ?? 0,
    image: container.image ?? '',
    imageID: current === undefined || image === undefined ? '' : `${image.repository}@${image.digest}`,
    ...(current === undefined ? {} : { containerID: `crun://${current.id}` }),
    started: isStarted,
  }
}

function stateOf(container: Container, input: StatusInput, isInit: boolean): ContainerState {
  const current = input.record.containers[container.name]?.current
  if (current?.state === 'running') return { running: { startedAt: timeOf(current.startedAtMs) } }
  const waiting = input.waiting.get(container.name)
  if (waiting !== undefined && input.plan.ended === undefined) return { waiting }
  if (current?.state === 'exited') return { terminated: terminatedState(current) }
  const waitsForInit = !isInit && (input.pod.spec?.initContainers ?? []).length > 0
  const isBehind = isInit && container.name !== input.pod.spec?.initContainers?.[0]?.name
  return { waiting: { reason: waitsForInit || isBehind ? 'PodInitializing' : 'ContainerCreating' } }
}

function terminatedState(container: ContainerRecord): NonNullable<ContainerState['terminated']> {
  const exitCode = container.exitCode ?? 137
  return {
    exitCode,
    reason: container.reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
    ...(container.message === undefined ? {} : { message: container.message }),
    startedAt: timeOf(container.startedAtMs),
    finishedAt: timeOf(container.finishedAtMs),
    containerID: `crun://${container.id}`,
  }
}

/** metav1.Time: whole seconds; the epoch stands for "never". */
function timeOf(ms: number | undefined): string {
  return new Date(ms ?? 0).toISOString().replace(/\.\d+Z$/, 'Z')
}

function qosClassOf(pod: PodResource): string {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
  const sets = containers.map(({ resources }) => resources ?? {})
  if (sets.every(({ requests, limits }) => isEmpty(requests) && isEmpty(limits))) return 'BestEffort'
  const isGuaranteed = sets.every(({ requests, limits }) =>
    ['cpu', 'memory'].every(
      (name) => limits?.[name] !== undefined && (requests?.[name] ?? limits[name]) === limits[name],
    ),
  )
  return isGuaranteed ? 'Guaranteed' : 'Burstable'
}

function isEmpty(object: object | undefined): boolean {
  return object === undefined || Object.keys(object).length === 0
}
