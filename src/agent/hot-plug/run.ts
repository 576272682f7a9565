import { Workqueue } from '../../base/workqueue.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import { networksAnnotation } from '../../kube/resources/net-attach-def.ts'
import type { CniContext } from '../cni-server/context.ts'
import { followAnnotation } from './follow-annotation.ts'

/** Longest time for one change of one pod, as for an ADD. */
const timeoutMs = 120_000

/** Keeps running pods' interfaces as their networks annotation says. Start it after the records have been restored. */
export class HotPlug {
  readonly #context: CniContext
  readonly #queue: Workqueue
  readonly #life = new AbortController()
  /** By the pod's UID: container and annotation that need no more work. */
  readonly #settled = new Map<string, string>()
  #unsubscribe: (() => void) | undefined

  constructor(context: CniContext) {
    this.#context = context
    const reconcile = (key: string): Promise<void> => this.#reconcile(key)
    this.#queue = new Workqueue({ name: 'hot-plug', reconcile, log: context.log, concurrency: 4 })
  }

  /** An annotation edited during the ADD is seen with the event that the ADD's network-status causes. */
  start(): void {
    this.#unsubscribe = this.#context.pods.on(({ type, object: { metadata } }) => {
      if (type === 'deleted') this.#settled.delete(metadata.uid ?? '')
      else this.#queue.add(`${metadata.namespace}/${metadata.name}`)
    })
  }

  /** What is being attached is given up and taken back. */
  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#life.abort()
    await this.#queue.stop()
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    await this.#context.calm.wait({ signal: this.#life.signal })
    const pod = this.#context.pods.get(name, namespace)
    if (pod !== undefined && pod.metadata.deletionTimestamp === undefined) await this.#follow(pod)
  }

  async #follow(pod: PodResource): Promise<void> {
    const { uid = '', annotations } = pod.metadata
    const key = this.#context.store.keyOfPod(uid)
    if (key === undefined) return
    const state = `${key.containerId} ${annotations?.[networksAnnotation] ?? ''}`
    if (this.#settled.get(uid) === state) return
    this.#settled.delete(uid)
    const signal = AbortSignal.any([this.#life.signal, AbortSignal.timeout(timeoutMs)])
    await this.#context.containers.run(key.containerId, () => followAnnotation(pod, key, this.#context, signal))
    this.#settled.set(uid, state)
  }
}
