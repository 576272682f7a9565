import type { Container } from 'kubernetes-types/core/v1.js'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { ContainerHistory, ContainerRecord, PodRecord } from './record.ts'

export interface RestartLimits {
  /** Pause before the second restart; the first one is at once. */
  readonly initialMs: number
  readonly maxMs: number
}

export interface StartStep {
  readonly container: Container
  readonly attempt: number
  readonly backoffMs: number
}

export interface WaitStep {
  readonly container: Container
  readonly untilMs: number
  readonly backoffMs: number
}

/** What to do next for a pod's containers. */
export interface PodPlan {
  readonly start: readonly StartStep[]
  readonly wait: readonly WaitStep[]
  /** Set when no container runs and none will run again. */
  readonly ended?: 'Succeeded' | 'Failed'
}

type Step = ({ do: 'start' } & StartStep) | ({ do: 'wait' } & WaitStep) | { do: 'nothing' | 'ended' }

/** Decides by restart policy, back-off and order: init containers one after the other, then all others. Pure. */
export function planPod(options: {
  pod: PodResource
  record: PodRecord
  nowMs: number
  limits: RestartLimits
}): PodPlan {
  const { pod, record } = options
  const policy = pod.spec?.restartPolicy ?? 'Always'
  const sidecars: Step[] = []
  for (const container of pod.spec?.initContainers ?? []) {
    const history = record.containers[container.name]
    const isSidecar = container.restartPolicy === 'Always'
    const initPolicy = isSidecar ? 'Always' : policy === 'Never' ? 'Never' : 'OnFailure'
    const step = nextStep({ ...options, container, history, policy: initPolicy })
    if (isSidecar) {
      sidecars.push(step)
      if (history === undefined || history.current.startedAtMs === undefined) return collect(sidecars)
      continue
    }
    if (step.do !== 'ended') return collect([...sidecars, step])
    if (history?.current.exitCode !== 0) return { start: [], wait: [], ended: 'Failed' }
  }
  const containers = pod.spec?.containers ?? []
  const steps = containers.map((container) =>
    nextStep({ ...options, container, history: record.containers[container.name], policy }),
  )
  if (!steps.every((step) => step.do === 'ended')) return collect([...sidecars, ...steps])
  const hasSucceeded = containers.every(({ name }) => record.containers[name]?.current.exitCode === 0)
  return { start: [], wait: [], ended: hasSucceeded ? 'Succeeded' : 'Failed' }
}

function collect(steps: readonly Step[]): PodPlan {
  return { start: steps.filter((step) => step.do === 'start'), wait: steps.filter((step) => step.do === 'wait') }
}

function nextStep(options: {
  container: Container
  history: ContainerHistory | undefined
  policy: string
  nowMs: number
  limits: RestartLimits
}): Step {
  const { container, history, policy, nowMs, limits } = options
  if (history === undefined) return { do: 'start', container, attempt: 0, backoffMs: 0 }
  const { current } = history
  if (current.state !== 'exited') return { do: 'nothing' }
  if (policy === 'Never' || (policy === 'OnFailure' && current.exitCode === 0)) return { do: 'ended' }
  const backoffMs = nextBackoff(current, limits)
  const untilMs = (current.finishedAtMs ?? 0) + backoffMs
  if (untilMs > nowMs) return { do: 'wait', container, untilMs, backoffMs }
  return { do: 'start', container, attempt: current.attempt + 1, backoffMs }
}

/** At once after the first end, then doubling; from the beginning again after a run of twice the longest pause. */
export function nextBackoff(current: ContainerRecord, limits: RestartLimits): number {
  const ranMs = (current.finishedAtMs ?? 0) - (current.startedAtMs ?? current.finishedAtMs ?? 0)
  if (current.attempt === 0 || ranMs >= 2 * limits.maxMs) return 0
  return current.backoffMs === 0 ? limits.initialMs : Math.min(limits.maxMs, current.backoffMs * 2)
}
