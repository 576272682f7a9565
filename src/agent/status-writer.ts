import type { Calm } from '../base/calm.ts'
import type { Log } from '../base/log.ts'
import { Workqueue } from '../base/workqueue.ts'
import type { KubeClient } from '../kube/api.ts'
import { isConflict, isNotFound } from '../kube/errors.ts'
import { pods } from '../kube/resources/core.ts'
import type { PodRef } from '../networks/driver.ts'

/**
 * Writes network-status, and what networks add to it, beside the ADD: the runtime does not wait for it, but it lands, however often it must be tried,
 * and gives way to runtimes that wait.
 */
export class StatusWriter {
  readonly #kube: KubeClient
  readonly #calm: Calm
  readonly #queue: Workqueue
  readonly #pending = new Map<string, { pod: PodRef; annotations: Readonly<Record<string, string>> }>()

  constructor(kube: KubeClient, log: Log, calm: Calm) {
    this.#kube = kube
    this.#calm = calm
    this.#queue = new Workqueue({
      name: 'network-status',
      reconcile: (key) => this.#write(key),
      log,
      concurrency: 8,
    })
  }

  /** Replaces what was not yet written for the pod. */
  write(pod: PodRef, annotations: Readonly<Record<string, string>>): void {
    const key = `${pod.namespace}/${pod.name}`
    this.#pending.set(key, { pod, annotations })
    this.#queue.add(key)
  }

  /** Resolves when everything has been written. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }

  stop(): Promise<void> {
    return this.#queue.stop()
  }

  async #write(key: string): Promise<void> {
    await this.#calm.wait()
    const pending = this.#pending.get(key)
    if (pending === undefined) return
    const { pod, annotations } = pending
    try {
      // The UID makes the API server refuse (409) when another pod has the name now.
      const metadata = { uid: pod.uid, annotations }
      const options = { namespace: pod.namespace, subresource: 'status' as const }
      await this.#kube.patch(pods, pod.name, { type: 'merge', body: { metadata } }, options)
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
    if (this.#pending.get(key) === pending) this.#pending.delete(key)
  }
}
