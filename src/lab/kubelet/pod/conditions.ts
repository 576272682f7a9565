import type { ContainerStatus, PodCondition } from 'kubernetes-types/core/v1.js'
import type { StatusInput } from './status.ts'

interface Facts {
  input: StatusInput
  phase: string
  containers: readonly ContainerStatus[]
  initContainers: readonly ContainerStatus[]
}

interface Verdict {
  isTrue: boolean
  reason?: string
  message?: string
}

const ours = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']

/** The pod's conditions: the kubelet's five, and those that others wrote, untouched. Times move only when a status does. */
export function buildConditions(facts: Facts): PodCondition[] {
  const { pod, now } = facts.input
  const before = pod.status?.conditions ?? []
  const ready = containersReady(facts)
  const verdicts: Record<string, Verdict> = {
    PodReadyToStartContainers: { isTrue: facts.input.record.sandbox?.isReady === true },
    Initialized: initialized(facts),
    Ready: ready,
    ContainersReady: ready,
    PodScheduled: { isTrue: true },
  }
  const written = ours.map((type): PodCondition => {
    const { isTrue, reason, message } = verdicts[type] ?? { isTrue: false }
    const status = isTrue ? 'True' : 'False'
    const old = before.find((condition) => condition.type === type)
    const since = old?.status === status ? (old.lastTransitionTime ?? now) : now
    const why = { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) }
    return { type, status, lastTransitionTime: since, ...why }
  })
  return [...written, ...before.filter((condition) => !ours.includes(condition.type))]
}

function containersReady({ phase, containers }: Facts): Verdict {
  if (phase === 'Succeeded') return { isTrue: false, reason: 'PodCompleted' }
  if (phase === 'Failed') return { isTrue: false, reason: 'PodFailed' }
  const unready = containers.filter((status) => !status.ready).map((status) => status.name)
  if (unready.length === 0) return { isTrue: true }
  return {
    isTrue: false,
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  }
}

function initialized({ input, phase, initContainers }: Facts): Verdict {
  if (phase === 'Succeeded') return { isTrue: true, reason: 'PodCompleted' }
  const isSidecar = (name: string): boolean =>
    input.pod.spec?.initContainers?.find((container) => container.name === name)?.restartPolicy === 'Always'
  const incomplete = initContainers
    .filter((status) => (isSidecar(status.name) ? status.started !== true : status.state?.terminated?.exitCode !== 0))
    .map((status) => status.name)
  if (incomplete.length === 0) return { isTrue: true }
  return {
    isTrue: false,
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${incomplete.join(' ')}]`,
  }
}
