import type { PodResource } from '../../../kube/resources/core.ts'
import { type PodDeps, planOf, podReference } from './deps.ts'
import { ensureSandbox } from './ensure-sandbox.ts'
import { killCondemned, watchProbes } from './liveness.ts'
import type { PodPlan } from './plan.ts'
import type { PodState } from './pod-state.ts'
import { emptyRecord, runningContainers } from './record.ts'
import { startContainers } from './start-containers.ts'

/** Brings a pod that shall run one step nearer to that: sandbox, then init containers, then all others. */
export async function syncPod(deps: PodDeps, pod: PodResource, state: PodState): Promise<void> {
  const { namespace = '', name } = pod.metadata
  if (deps.records.get(state.uid) === undefined) deps.records.create(emptyRecord({ uid: state.uid, namespace, name }))
  if (planOf(deps, pod)?.ended !== undefined) await endPod(deps, state)
  else await runPod(deps, pod, state)
  deps.reportStatus(state.uid)
}

async function runPod(deps: PodDeps, pod: PodResource, state: PodState): Promise<void> {
  const sandbox = await ensureSandbox(deps, pod, state)
  const plan = planOf(deps, pod)
  if (sandbox === undefined || plan === undefined) return
  noteWaiting(deps, pod, state, plan)
  if (plan.start.length > 0) await startContainers(deps, { pod, state, sandbox, plan })
  killCondemned(deps, pod, state)
  watchProbes(deps, pod, state)
}

/** A pod that has ended gives its address back at once; its containers' logs stay until it is deleted. */
async function endPod(deps: PodDeps, state: PodState): Promise<void> {
  const record = deps.records.get(state.uid)
  if (record === undefined) return
  const left = runningContainers(record)
  await Promise.all(left.map(({ container }) => deps.runtime.kill(container.id, 'KILL')))
  if (left.length === 0) await deps.sandboxes.remove(state.uid)
}

function noteWaiting(deps: PodDeps, pod: PodResource, state: PodState, plan: PodPlan): void {
  for (const step of plan.wait) {
    const { name } = step.container
    const where = `${pod.metadata.name}_${pod.metadata.namespace}(${state.uid})`
    const message = `back-off ${describePause(step.backoffMs)} restarting failed container=${name} pod=${where}`
    if (state.waiting.get(name)?.message !== message) {
      const text = `Back-off restarting failed container ${name} in pod ${where}`
      deps.events.event(podReference(pod), 'Warning', 'BackOff', text)
    }
    state.waiting.set(name, { reason: 'CrashLoopBackOff', message })
    deps.wake(state.uid, step.untilMs)
  }
}

/** Go's way to write a duration: 10s, 1m20s, 5m0s. */
function describePause(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}
