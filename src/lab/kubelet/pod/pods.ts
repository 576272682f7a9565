import { isDeepStrictEqual } from 'node:util'
import type { PodStatus } from 'kubernetes-types/core/v1.js'
import { type Changing, Emitter } from '../../../base/observable.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import type { Informer, KubeClient } from '../../../kube/api.ts'
import { isConflict, isNotFound } from '../../../kube/errors.ts'
import { type PodResource, pods } from '../../../kube/resources/core.ts'
import type { Image } from '../runtime/image.ts'
import { type PodDeps, planOf } from './deps.ts'
import type { ContainerExit } from './exits.ts'
import { newPodState, type PodState } from './pod-state.ts'
import { containersOf, type PodRecord, runningContainers, withChange, withSandbox } from './record.ts'
import { buildPodStatus } from './status.ts'
import { syncPod } from './sync-pod.ts'
import { terminatePod } from './terminate-pod.ts'

/** Pods of one node worked on at the same time. */
const concurrency = 16

type Given = Omit<PodDeps, 'wake' | 'reportStatus'> & { kube: KubeClient; images: readonly Image[] }

/** All pods bound to this node, each brought to its desired state by its own level-triggered work. */
export class Pods {
  readonly #informer: Informer<PodResource>
  readonly #deps: PodDeps
  readonly #given: Given
  readonly #states = new Map<string, PodState>()
  readonly #byUid = new Map<string, PodResource>()
  readonly #timers = new Map<string, { atMs: number; timer: NodeJS.Timeout }>()
  readonly #work: Workqueue
  readonly #reports: Workqueue
  readonly #exits = new Emitter<void>()
  /** Before the informer has synced, a pod that is not seen would be taken for a deleted one. */
  #hasStarted = false

  constructor(informer: Informer<PodResource>, given: Given) {
    this.#informer = informer
    this.#given = given
    const { log } = given
    this.#work = new Workqueue({ name: 'pods', reconcile: (uid) => this.#sync(uid), log, concurrency })
    this.#reports = new Workqueue({ name: 'pod-status', reconcile: (uid) => this.#report(uid), log, concurrency })
    this.#deps = {
      ...given,
      wake: (uid, atMs) => this.#wake(uid, atMs),
      reportStatus: (uid) => this.#reports.add(uid),
    }
  }

  /** Says that some container has ended. */
  get exits(): Changing {
    return { onChange: (listener) => this.#exits.on(listener) }
  }

  find(namespace: string, name: string): PodResource | undefined {
    return this.#informer.get(name, namespace)
  }

  recordOf(pod: PodResource): PodRecord | undefined {
    return this.#deps.records.get(pod.metadata.uid ?? '')
  }

  /** Begins to work; expects a synced informer and loaded records, whose containers were compared with the runtime's. */
  start(): void {
    this.#informer.on((event) => {
      if (event.type === 'updated' && event.before.metadata.uid !== event.object.metadata.uid)
        this.#forget(event.before)
      if (event.type === 'deleted') this.#forget(event.object)
      else this.#notice(event.object)
    })
    this.#given.network.onChange(() => this.wakeAll())
    this.#hasStarted = true
    this.wakeAll()
  }

  wakeAll(): void {
    const uids = [...this.#byUid.keys(), ...this.#deps.records.list().map((record) => record.uid)]
    for (const uid of new Set(uids)) this.#wake(uid)
  }

  /** Takes note of a container's end. One that no record names is a left-over. */
  async noteExit(exit: ContainerExit): Promise<void> {
    const { records, runtime, probes } = this.#deps
    const record = records.list().find((candidate) => containersOf(candidate).some(({ id }) => id === exit.id))
    probes.stop(exit.id)
    if (record === undefined) {
      await runtime.remove(exit.id)
      await runtime.forget(exit.id)
      return
    }
    const { exitCode, finishedAtMs } = exit
    this.#states.get(record.uid)?.condemned.delete(exit.id)
    await records.update(record.uid, (latest) =>
      withChange(latest, exit.id, { state: 'exited', exitCode, finishedAtMs }),
    )
    this.#exits.emit()
    this.#wake(record.uid)
    await runtime.remove(exit.id)
  }

  async stop(): Promise<void> {
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    for (const state of this.#states.values()) state.creation?.abort()
    this.#deps.probes.stopAll()
    await Promise.all([this.#work.stop(), this.#reports.stop()])
  }

  /** Compares what an earlier process recorded with what the kernel and the runtime still have. */
  async recover(): Promise<void> {
    const { records, runtime, sandboxes } = this.#deps
    for (const record of records.list()) {
      const hasSandbox = record.sandbox !== undefined && (await sandboxes.exists(record.sandbox))
      for (const { container } of runningContainers(record)) {
        await this.#recoverContainer(record.uid, container.id, hasSandbox)
      }
      if (record.sandbox?.isReady === true && !hasSandbox) {
        const lost = { ...record.sandbox, isReady: false }
        await records.update(record.uid, (latest) => withSandbox(latest, lost))
      }
    }
    const known = new Set(records.list().flatMap((record) => containersOf(record).map(({ id }) => id)))
    const orphans = (await runtime.list()).filter((id) => !known.has(id))
    await Promise.all(orphans.map((id) => runtime.remove(id)))
  }

  /** A container cannot stay without its sandbox: the next one would have other namespaces. */
  async #recoverContainer(uid: string, id: string, hasSandbox: boolean): Promise<void> {
    const { records, runtime } = this.#deps
    if (hasSandbox && (await runtime.isRunning(id))) {
      const startedAtMs = Date.now()
      await records.update(uid, (record) => {
        const current = Object.values(record.containers).find((history) => history.current.id === id)?.current
        return current?.state === 'created' ? withChange(record, id, { state: 'running', startedAtMs }) : record
      })
      return
    }
    // If its exit file is there, the exit watch corrects code and time.
    const lost = { state: 'exited' as const, exitCode: 137, reason: 'ContainerStatusUnknown', finishedAtMs: Date.now() }
    await records.update(uid, (record) => withChange(record, id, lost))
    await runtime.remove(id)
  }

  #notice(pod: PodResource): void {
    const uid = pod.metadata.uid ?? ''
    this.#byUid.set(uid, pod)
    if (pod.metadata.deletionTimestamp !== undefined) this.#states.get(uid)?.creation?.abort()
    this.#wake(uid)
  }

  #forget(pod: PodResource): void {
    const uid = pod.metadata.uid ?? ''
    this.#byUid.delete(uid)
    this.#states.get(uid)?.creation?.abort()
    this.#wake(uid)
  }

  #stateOf(uid: string): PodState {
    const state = this.#states.get(uid) ?? newPodState(uid)
    this.#states.set(uid, state)
    return state
  }

  async #sync(uid: string): Promise<void> {
    const pod = this.#byUid.get(uid)
    const state = this.#stateOf(uid)
    const isLeaving = pod === undefined || pod.metadata.deletionTimestamp !== undefined
    if (!isLeaving && !(hasEnded(pod) && this.#deps.records.get(uid) === undefined)) {
      await syncPod(this.#deps, pod, state)
    } else if (isLeaving) {
      const isGone = await terminatePod(this.#deps, pod, state)
      if (pod !== undefined && !isGone) this.#reports.add(uid)
      if (isGone) await this.#letGo(uid, pod)
    }
  }

  /** Nothing of the pod is left here: the API may forget it. */
  async #letGo(uid: string, pod: PodResource | undefined): Promise<void> {
    this.#states.delete(uid)
    this.#cancelTimer(uid)
    if (pod === undefined) return
    const { name, namespace } = pod.metadata
    const options = { namespace, gracePeriodSeconds: 0, preconditions: { uid }, ignoreNotFound: true }
    await this.#given.kube.delete(pods, name, options).catch(ignoreReplaced)
  }

  async #report(uid: string): Promise<void> {
    const pod = this.#byUid.get(uid)
    const record = this.#deps.records.get(uid)
    const state = this.#states.get(uid)
    const plan = pod === undefined ? undefined : planOf(this.#deps, pod)
    if (pod === undefined || record === undefined || state === undefined || plan === undefined) return
    const { probes, config } = this.#deps
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    state.startTime ??= pod.status?.startTime ?? now
    const running = runningContainers(record).map(({ container }) => container.id)
    const status = buildPodStatus({
      ...{ pod, record, plan, waiting: state.waiting, images: this.#given.images, nodeIp: config.nodeIp },
      notReady: new Set(running.filter((id) => !probes.isReady(id))),
      notStarted: new Set(running.filter((id) => !probes.isStarted(id))),
      startTime: state.startTime,
      now,
    })
    if (isReported(status, pod.status)) return
    const { name, namespace } = pod.metadata
    const patch = { type: 'merge' as const, body: { metadata: { uid }, status: withRemovals(status, pod.status) } }
    const options = { namespace, subresource: 'status' as const }
    await this.#given.kube.patch(pods, name, patch, options).catch(ignoreReplaced)
  }

  #wake(uid: string, atMs?: number): void {
    if (!this.#hasStarted) return
    if (atMs === undefined) {
      this.#work.add(uid)
      return
    }
    const planned = this.#timers.get(uid)
    if (planned !== undefined && planned.atMs <= atMs) return
    this.#cancelTimer(uid)
    const ring = (): void => {
      this.#timers.delete(uid)
      this.#work.add(uid)
    }
    // A timer may ring a moment early by the wall clock; one that found nothing due would wait for ever.
    this.#timers.set(uid, { atMs, timer: setTimeout(ring, Math.max(1, atMs - Date.now() + 1)) })
  }

  #cancelTimer(uid: string): void {
    clearTimeout(this.#timers.get(uid)?.timer)
    this.#timers.delete(uid)
  }
}

function hasEnded(pod: PodResource): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** Fields of a status that come and go; a merge patch removes only what is named. */
const fleeting = ['podIP', 'podIPs', 'reason', 'message'] as const

function isReported(status: PodStatus, known: PodStatus | undefined): boolean {
  const keys = new Set<keyof PodStatus>([...fleeting, ...(Object.keys(status) as (keyof PodStatus)[])])
  return [...keys].every((key) => isDeepStrictEqual(status[key], known?.[key]))
}

function withRemovals(status: PodStatus, known: PodStatus | undefined): object {
  const gone = fleeting.filter((key) => known?.[key] !== undefined && status[key] === undefined)
  return { ...status, ...Object.fromEntries(gone.map((key) => [key, null])) }
}

/** Gone meanwhile, or another pod of the same name. */
function ignoreReplaced(error: unknown): void {
  if (!isNotFound(error) && !isConflict(error)) throw error
}
