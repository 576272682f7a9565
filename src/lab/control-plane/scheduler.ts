import type { PodCondition } from 'kubernetes-types/core/v1.js'
import type { Log } from '../../base/log.ts'
import { Workqueue } from '../../base/workqueue.ts'
import type { Informer, KubeClient } from '../../kube/api.ts'
import { isConflict, isNotFound } from '../../kube/errors.ts'
import { createEventRecorder, type EventRecorder } from '../../kube/events.ts'
import { createInformer } from '../../kube/informer.ts'
import { type NodeResource, nodes as nodeType, type PodResource, pods as podType } from '../../kube/resources/core.ts'
import { keyOf } from '../../kube/resources/meta.ts'
import { describeRefusal, selectNode } from './select-node.ts'

const schedulerName = 'default-scheduler'

/** Binds pods that have no node. Resolves when it works, and goes on until the signal aborts. */
export async function startScheduler(options: { kube: KubeClient; log: Log }, signal: AbortSignal): Promise<void> {
  const { kube, log } = options
  const pods = createInformer(kube, podType, { log })
  const nodes = createInformer(kube, nodeType, { log })
  const events = createEventRecorder(kube, { component: schedulerName, host: '', log })
  const scheduler = new Scheduler({ kube, pods, nodes, events })
  const queue = new Workqueue({ name: 'scheduler', reconcile: (key) => scheduler.schedule(key), log })
  await Promise.all([pods.start(signal), nodes.start(signal)])
  pods.on((event) => {
    if (event.type !== 'deleted' && isPending(event.object)) queue.add(keyOf(event.object))
  })
  nodes.onChange(() => {
    for (const pod of pods.list()) if (isPending(pod)) queue.add(keyOf(pod))
  })
  signal.addEventListener('abort', () => void queue.stop(), { once: true })
}

interface Deps {
  kube: KubeClient
  pods: Informer<PodResource>
  nodes: Informer<NodeResource>
  events: EventRecorder
}

class Scheduler {
  readonly #deps: Deps
  /** Bindings that the informer has not shown yet, by the pod's uid. */
  readonly #assumed = new Map<string, string>()

  constructor(deps: Deps) {
    this.#deps = deps
  }

  async schedule(key: string): Promise<void> {
    const { pods, nodes } = this.#deps
    const [namespace = '', name = ''] = key.split('/')
    const pod = pods.get(name, namespace)
    if (pod === undefined || !isPending(pod) || this.#assumed.has(pod.metadata.uid ?? '')) return
    const selection = selectNode({ pod, nodes: nodes.list(), podCounts: this.#countPods() })
    if ('node' in selection) await this.#bind(pod, selection.node)
    else await this.#refuse(pod, describeRefusal(selection.reasons))
  }

  async #bind(pod: PodResource, node: string): Promise<void> {
    const { kube, events } = this.#deps
    const { name, namespace = '', uid = '' } = pod.metadata
    const metadata = { name, namespace, uid }
    const target = { apiVersion: 'v1', kind: 'Node', name: node }
    const body = { apiVersion: 'v1', kind: 'Binding', metadata, target }
    this.#assumed.set(uid, node)
    try {
      await kube.raw('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, body)
    } catch (error) {
      this.#assumed.delete(uid)
      if (!isNotFound(error) && !isConflict(error)) throw error
      return
    }
    const message = `Successfully assigned ${namespace}/${name} to ${node}`
    events.event({ ...pod, apiVersion: 'v1', kind: 'Pod' }, 'Normal', 'Scheduled', message)
  }

  async #refuse(pod: PodResource, message: string): Promise<void> {
    const { kube, events } = this.#deps
    const { name, namespace } = pod.metadata
    const before = pod.status?.conditions ?? []
    const old = before.find(({ type }) => type === 'PodScheduled')
    if (old?.status === 'False' && old.message === message) return
    events.event({ ...pod, apiVersion: 'v1', kind: 'Pod' }, 'Warning', 'FailedScheduling', message)
    const since = old?.status === 'False' ? old.lastTransitionTime : undefined
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime: since ?? new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    }
    const conditions = [...before.filter(({ type }) => type !== 'PodScheduled'), condition]
    const body = { status: { phase: 'Pending', conditions } }
    await kube
      .patch(podType, name, { type: 'merge', body }, { namespace, subresource: 'status' })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error
      })
  }

  #countPods(): Map<string, number> {
    const counts = new Map<string, number>()
    const seen = new Set<string>()
    for (const pod of this.#deps.pods.list()) {
      const uid = pod.metadata.uid ?? ''
      const node = pod.spec?.nodeName ?? this.#assumed.get(uid)
      seen.add(uid)
      if (pod.spec?.nodeName !== undefined) this.#assumed.delete(uid)
      if (node !== undefined && !hasEnded(pod)) counts.set(node, (counts.get(node) ?? 0) + 1)
    }
    for (const uid of this.#assumed.keys()) if (!seen.has(uid)) this.#assumed.delete(uid)
    return counts
  }
}

function isPending(pod: PodResource): boolean {
  const { nodeName = '', schedulerName: wanted = schedulerName } = pod.spec ?? {}
  return nodeName === '' && wanted === schedulerName && pod.metadata.deletionTimestamp === undefined && !hasEnded(pod)
}

function hasEnded(pod: PodResource): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}
