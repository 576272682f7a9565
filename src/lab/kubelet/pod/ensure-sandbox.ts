import { describeError } from '../../../base/errors.ts'
import { backoffMs } from '../../../base/retry.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import { factsOf, type PodDeps, podReference } from './deps.ts'
import type { PodState } from './pod-state.ts'
import type { SandboxRecord } from './record.ts'
import { SandboxError } from './sandboxes.ts'

/** The pod's sandbox, made if need be; undefined when it cannot be made now, with an event that says why. */
export async function ensureSandbox(
  deps: PodDeps,
  pod: PodResource,
  state: PodState,
): Promise<SandboxRecord | undefined> {
  const existing = deps.records.get(state.uid)?.sandbox
  if (existing?.isReady === true) return existing
  if (Date.now() < state.sandboxRetryAtMs) {
    deps.wake(state.uid, state.sandboxRetryAtMs)
    return undefined
  }
  deps.reportStatus(state.uid)
  try {
    await deps.sandboxes.remove(state.uid)
    return await createSandbox(deps, pod, state)
  } catch (error) {
    if (state.creation?.signal.aborted === true) return undefined
    const message = error instanceof SandboxError ? error.message : describeError(error)
    deps.events.event(podReference(pod), 'Warning', 'FailedCreatePodSandBox', message)
    postponeSandbox(deps, state, message)
    return undefined
  }
}

async function createSandbox(deps: PodDeps, pod: PodResource, state: PodState): Promise<SandboxRecord | undefined> {
  const needsNetwork = pod.spec?.hostNetwork !== true
  const network = needsNetwork ? deps.network.current : undefined
  if (needsNetwork && network === undefined) {
    const problem = 'network is not ready: container runtime network not ready: NetworkReady=false'
    const message = `${problem} reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized`
    deps.events.event(podReference(pod), 'Warning', 'NetworkNotReady', message)
    return undefined
  }
  state.creation = new AbortController()
  const { hostname } = factsOf(deps.config, pod, undefined)
  await deps.sandboxes.create({ uid: state.uid, pod, hostname, network, signal: state.creation.signal })
  state.sandboxFailures = 0
  return deps.records.get(state.uid)?.sandbox
}

function postponeSandbox(deps: PodDeps, state: PodState, error: string): void {
  const pauseMs = backoffMs(state.sandboxFailures++, 250, 30_000)
  state.sandboxRetryAtMs = Date.now() + pauseMs
  deps.log.warn({ pod: state.uid, error, pauseMs }, 'no sandbox, will try again')
  deps.wake(state.uid, state.sandboxRetryAtMs)
}
