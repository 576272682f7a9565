import { setMaxListeners } from 'node:events'
import { describeError } from '../../../base/errors.ts'
import { Semaphore } from '../../../base/keyed-lock.ts'
import { waitFor } from '../../../base/observable.ts'
import { retry } from '../../../base/retry.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { isConflict, isNotFound } from '../../../kube/errors.ts'
import { type PodResource, pods as podType } from '../../../kube/resources/core.ts'
import { type PodNetwork, parsePodNetworks, podNetworksAnnotation } from '../annotations.ts'
import type { ClusterContext } from './context.ts'
import { podKey } from './pod-places.ts'

/** What the annotation shall say of networks, by key; `none`: nothing. */
export type NetworkChanges = Readonly<Record<string, PodNetwork | 'none'>>

/** The annotation k8s.ovn.org/pod-networks on all pods. */
export class PodAnnotations {
  readonly #context: ClusterContext
  readonly #underWay = new Set<string>()
  readonly #turns = new Semaphore(32)
  readonly #stop = new AbortController()

  constructor(context: ClusterContext) {
    this.#context = context
    // One a pod.
    setMaxListeners(0, this.#stop.signal)
  }

  /** Whether something is being written that the watch has not told of: what it tells of the pod is out of date. */
  isUnderWay(key: string): boolean {
    return this.#underWay.has(key)
  }

  /** Resolves when the watch has told of it. Throws KubeError. */
  async write(pod: PodResource, changes: NetworkChanges): Promise<void> {
    if (isWritten(pod, changes)) return
    const key = podKey(pod)
    this.#underWay.add(key)
    try {
      await this.#turns.run(() => writeNetworks(this.#context.kube, pod, changes))
      await this.#seen(pod, changes)
    } finally {
      this.#underWay.delete(key)
    }
  }

  stop(): void {
    this.#stop.abort()
  }

  /** A late watch holds up this pod alone, and not for ever. */
  async #seen(pod: PodResource, changes: NetworkChanges): Promise<void> {
    const { pods, log } = this.#context
    const { name, namespace, uid } = pod.metadata
    const look = (): true | undefined => {
      const latest = pods.get(name, namespace)
      if (latest === undefined || latest.metadata.uid !== uid) return true
      // Taking out concerns one version of the pod: whatever comes after it shows how it went.
      const isSeen = latest !== pod && isWritten(latest, withoutRemovals(changes))
      return isSeen ? true : undefined
    }
    const what = `the watch to tell of the annotation of pod ${podKey(pod)}`
    await waitFor(pods, look, { what, timeoutMs: 5000, signal: this.#stop.signal }).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) log.warn({ error: describeError(error) }, 'the watch of pods is late')
    })
  }
}

/**
 * Writes networks into the pod's annotation, by compare-and-swap, because others may share it. A pod that is gone or
 * was replaced by another of its name is left alone. What is taken out is taken out of this very version of the pod: a
 * newer one may ask for the network again, and whoever watches pods hears of that version.
 */
async function writeNetworks(kube: KubeClient, pod: PodResource, changes: NetworkChanges): Promise<void> {
  const { name, namespace, uid } = pod.metadata
  const additions = withoutRemovals(changes)
  let latest: PodResource | undefined = pod
  await retry(
    async (attempt) => {
      if (attempt > 0) latest = await kube.find(podType, name, namespace)
      const wanted = attempt > 0 ? additions : changes
      if (latest === undefined || latest.metadata.uid !== uid || isWritten(latest, wanted)) return
      await patch(kube, latest, wanted)
    },
    { attempts: 8, minDelayMs: 5, maxDelayMs: 200, retryable: isConflict },
  ).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}

function withoutRemovals(changes: NetworkChanges): NetworkChanges {
  return Object.fromEntries(Object.entries(changes).filter(([, network]) => network !== 'none'))
}

/** Whether the annotation says this already. */
function isWritten(pod: PodResource, changes: NetworkChanges): boolean {
  const written = parsePodNetworks(pod)
  return Object.entries(changes).every(([key, network]) =>
    network === 'none' ? written[key] === undefined : JSON.stringify(written[key]) === JSON.stringify(network),
  )
}

async function patch(kube: KubeClient, pod: PodResource, changes: NetworkChanges): Promise<void> {
  const { name, namespace, resourceVersion } = pod.metadata
  const networks = withoutRemovals({ ...parsePodNetworks(pod), ...changes })
  const value = Object.keys(networks).length === 0 ? null : JSON.stringify(networks)
  const body = { metadata: { resourceVersion, annotations: { [podNetworksAnnotation]: value } } }
  await kube.patch(podType, name, { type: 'merge', body }, { namespace })
}
