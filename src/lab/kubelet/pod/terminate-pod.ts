import { rm } from 'node:fs/promises'
import { describeError } from '../../../base/errors.ts'
import { runAll } from '../../../base/undo.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import { type PodDeps, podReference } from './deps.ts'
import { logFolderOf, podFolderOf } from './paths.ts'
import type { PodState } from './pod-state.ts'
import { containersOf, type PodRecord, runningContainers, withChange } from './record.ts'

/**
 * Ends a pod and removes all that was made for it. `pod` is undefined when the API has it no more: then there is no
 * grace. Returns whether nothing is left; until then an exit or the end of the grace period brings the next pass.
 */
export async function terminatePod(deps: PodDeps, pod: PodResource | undefined, state: PodState): Promise<boolean> {
  const record = deps.records.get(state.uid)
  if (record === undefined) return true
  const running = runningContainers(record)
  if (running.length > 0) {
    await signalContainers(deps, { pod, state, record })
    return false
  }
  await removeSandbox(deps, pod, state)
  await removeRest(deps, record)
  return true
}

interface Termination {
  pod: PodResource | undefined
  state: PodState
  record: PodRecord
}

/** SIGTERM once, SIGKILL once the grace period is over; without a pod, SIGKILL. */
async function signalContainers(deps: PodDeps, { pod, state, record }: Termination): Promise<void> {
  const endMs = Date.now() + graceSecondsOf(pod) * 1000
  state.termination ??= { deadlineMs: endMs, signalled: new Set(), killed: new Set() }
  // A second deletion may shorten the grace period, never lengthen it.
  state.termination.deadlineMs = Math.min(state.termination.deadlineMs, endMs)
  const { deadlineMs, signalled, killed } = state.termination
  const isOver = Date.now() >= deadlineMs
  const send = async (name: string, id: string): Promise<void> => {
    const isFirst = !signalled.has(id)
    signalled.add(id)
    if (isFirst && pod !== undefined) {
      deps.events.event(podReference(pod), 'Normal', 'Killing', `Stopping container ${name}`)
    }
    if (isFirst && !isOver) await signalContainer(deps, { state, id, signalName: 'TERM' })
    if (isOver && !killed.has(id)) await signalContainer(deps, { state, id, signalName: 'KILL' })
    if (isOver) killed.add(id)
  }
  await Promise.all(runningContainers(record).map(({ name, container }) => send(name, container.id)))
  if (!isOver) deps.wake(state.uid, deadlineMs)
}

/** A container that is gone without a word (its conmon was killed too) counts as killed, or it would be awaited for ever. */
async function signalContainer(
  deps: PodDeps,
  what: { state: PodState; id: string; signalName: string },
): Promise<void> {
  const { state, id, signalName } = what
  if (await deps.runtime.kill(id, signalName)) return
  await deps.records.update(state.uid, (record) =>
    withChange(record, id, { state: 'exited', exitCode: 137, finishedAtMs: Date.now() }),
  )
  deps.wake(state.uid)
}

function graceSecondsOf(pod: PodResource | undefined): number {
  if (pod === undefined) return 0
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30
}

async function removeSandbox(deps: PodDeps, pod: PodResource | undefined, state: PodState): Promise<void> {
  try {
    await deps.sandboxes.remove(state.uid)
  } catch (error) {
    const message = `error killing pod: failed to "KillPodSandbox" for "${state.uid}": ${describeError(error)}`
    if (pod !== undefined) deps.events.event(podReference(pod), 'Warning', 'FailedKillPod', message)
    throw error
  }
}

/** Root file systems, exit files, logs, volumes, and last the record that names them. */
async function removeRest(deps: PodDeps, record: PodRecord): Promise<void> {
  const removals = containersOf(record).map(({ id }) => async () => {
    deps.probes.stop(id)
    await deps.runtime.remove(id)
    await deps.runtime.forget(id)
  })
  const folders = [logFolderOf(deps.config, record), podFolderOf(deps.config, record.uid)]
  await runAll(`remove what is left of pod ${record.namespace}/${record.name}`, [
    ...removals,
    ...folders.map((path) => () => rm(path, { recursive: true, force: true })),
  ])
  await deps.records.remove(record.uid)
}
