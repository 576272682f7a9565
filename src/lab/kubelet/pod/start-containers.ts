import type { Container } from 'kubernetes-types/core/v1.js'
import { describeError } from '../../../base/errors.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import { ImageNotFoundError } from '../runtime/image.ts'
import { ContainerStartError } from '../runtime/runtime.ts'
import type { PodFiles } from './containers.ts'
import { factsOf, type PodDeps, podReference } from './deps.ts'
import type { PodFacts } from './env.ts'
import type { PodPlan, StartStep } from './plan.ts'
import type { PodState } from './pod-state.ts'
import type { SandboxRecord } from './record.ts'
import { MissingSourceError } from './sources.ts'

export interface StartContext {
  pod: PodResource
  state: PodState
  sandbox: SandboxRecord
  plan: PodPlan
}

/** Starts, side by side, the containers that the plan names; what is missing for one is noted and tried again later. */
export async function startContainers(deps: PodDeps, context: StartContext): Promise<void> {
  const { pod, state, sandbox, plan } = context
  const facts = factsOf(deps.config, pod, sandbox)
  const due = plan.start.filter((step) => isDue(deps, state, step.container.name))
  if (due.length === 0) return
  let files: PodFiles
  try {
    files = await ensureFiles(deps, context, facts)
  } catch (error) {
    deps.events.event(podReference(pod), 'Warning', 'FailedMount', describeError(error))
    for (const { container } of due) postponeContainer(deps, state, container.name)
    return
  }
  await Promise.all(due.map((step) => startContainer(deps, context, { step, files, facts })))
}

function isDue(deps: PodDeps, state: PodState, name: string): boolean {
  const retry = state.retryAtMs.get(name)
  if (retry === undefined || retry.untilMs <= Date.now()) return true
  deps.wake(state.uid, retry.untilMs)
  return false
}

function postponeContainer(deps: PodDeps, state: PodState, name: string): number {
  const before = state.retryAtMs.get(name)?.pauseMs ?? 0
  const { restartBackoffSeconds, maxRestartBackoffSeconds } = deps.config
  const pauseMs = Math.min(maxRestartBackoffSeconds * 1000, before === 0 ? restartBackoffSeconds * 1000 : before * 2)
  const untilMs = Date.now() + pauseMs
  state.retryAtMs.set(name, { untilMs, pauseMs })
  deps.wake(state.uid, untilMs)
  return untilMs
}

async function ensureFiles(deps: PodDeps, context: StartContext, facts: PodFacts): Promise<PodFiles> {
  const { pod, state, sandbox } = context
  if (state.files?.sandboxId !== sandbox.id) {
    state.files = { sandboxId: sandbox.id, made: await deps.containers.prepareFiles(state.uid, pod, facts) }
  }
  return state.files.made
}

async function startContainer(
  deps: PodDeps,
  context: StartContext,
  what: { step: StartStep; files: PodFiles; facts: PodFacts },
): Promise<void> {
  const { pod, state, sandbox } = context
  const { container } = what.step
  const messages = {
    Pulled: `Container image "${container.image}" already present on machine`,
    Created: `Created container: ${container.name}`,
    Started: `Started container ${container.name}`,
  }
  const onProgress = (reason: keyof typeof messages): void =>
    deps.events.event(podReference(pod), 'Normal', reason, messages[reason])
  try {
    await deps.containers.start({ uid: state.uid, pod, sandbox, ...what, onProgress })
    state.waiting.delete(container.name)
    state.retryAtMs.delete(container.name)
  } catch (error) {
    noteFailure(deps, { pod, state, container, error })
  }
}

function noteFailure(
  deps: PodDeps,
  failure: { pod: PodResource; state: PodState; container: Container; error: unknown },
): void {
  const { pod, state, container, error } = failure
  const message = describeError(error)
  const tell = (reason: string, text: string): void => deps.events.event(podReference(pod), 'Warning', reason, text)
  if (error instanceof ImageNotFoundError) {
    const isRepeated = state.retryAtMs.has(container.name)
    const reason = isRepeated ? 'ImagePullBackOff' : 'ErrImagePull'
    const text = isRepeated ? `Back-off pulling image "${container.image}": ${message}` : message
    state.waiting.set(container.name, { reason, message: text })
    postponeContainer(deps, state, container.name)
    tell(isRepeated ? 'BackOff' : 'Failed', isRepeated ? text : `Failed to pull image "${container.image}": ${message}`)
    tell('Failed', `Error: ${reason}`)
  } else if (error instanceof MissingSourceError) {
    state.waiting.set(container.name, { reason: 'CreateContainerConfigError', message })
    postponeContainer(deps, state, container.name)
    tell('Failed', `Error: ${message}`)
  } else if (error instanceof ContainerStartError) {
    // The failure is recorded as an exit: the plan of the next pass backs off as for any other.
    tell('Failed', `Error: ${message}`)
    deps.wake(state.uid)
  } else throw error
}
