import type { Container } from 'kubernetes-types/core/v1.js'
import type { PodResource } from '../../../kube/resources/core.ts'
import { factsOf, type PodDeps, podReference } from './deps.ts'
import type { PodState } from './pod-state.ts'
import { runningContainers } from './record.ts'

/** Ends what a liveness probe has given up on: SIGTERM was sent when it was condemned, SIGKILL when its grace is over. */
export function killCondemned(deps: PodDeps, pod: PodResource, state: PodState): void {
  for (const [id, deadlineMs] of state.condemned) {
    if (deadlineMs > Date.now()) deps.wake(state.uid, deadlineMs)
    else {
      state.condemned.delete(id)
      void deps.runtime
        .kill(id, 'KILL')
        .catch((error) => deps.log.warn({ pod: pod.metadata.name, error }, 'kill failed'))
    }
  }
}

/** Has every running container probed. */
export function watchProbes(deps: PodDeps, pod: PodResource, state: PodState): void {
  const record = deps.records.get(state.uid)
  if (record === undefined) return
  const podIp = factsOf(deps.config, pod, record.sandbox).podIps[0] ?? ''
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
  for (const { name, container: running } of runningContainers(record)) {
    const container = all.find((candidate) => candidate.name === name)
    if (container === undefined || running.state !== 'running') continue
    const target = { containerId: running.id, container, podIp }
    deps.probes.ensure(target, {
      onChange: () => deps.reportStatus(state.uid),
      onUnhealthy: (_kind, reason) => deps.events.event(podReference(pod), 'Warning', 'Unhealthy', reason),
      onDead: (kind) => condemn(deps, { pod, state, container, id: running.id, kind }),
    })
  }
}

function condemn(
  deps: PodDeps,
  what: { pod: PodResource; state: PodState; container: Container; id: string; kind: string },
): void {
  const { pod, state, container, id } = what
  const message = `Container ${container.name} failed ${what.kind.toLowerCase()} probe, will be restarted`
  deps.events.event(podReference(pod), 'Normal', 'Killing', message)
  const probe = what.kind === 'Startup' ? container.startupProbe : container.livenessProbe
  const seconds = probe?.terminationGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30
  state.condemned.set(id, Date.now() + seconds * 1000)
  void deps.runtime.kill(id, 'TERM').then(
    () => deps.wake(state.uid),
    (error) => deps.log.warn({ error, container: container.name }, 'kill failed'),
  )
}
