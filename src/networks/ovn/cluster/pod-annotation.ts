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

/** One network's part of the annotation k8s.ovn.org/pod-networks, on all pods. */
export class PodAnnotations {
  readonly #context: ClusterContext
  readonly #networkKey: string
  readonly #underWay = new Set<string>()
  readonly #turns = new Semaphore(32)
  readonly #stop = new AbortController()

  constructor(context: ClusterContext, networkKey: string) {
    this.#context = context
    this.#networkKey = networkKey
    // One a pod.
    setMaxListeners(0, this.#stop.signal)
  }

  /** Whether something is being written that the watch has not told of: what it tells of the pod is out of date. */
  isUnderWay(key: string): boolean {
    return this.#underWay.has(key)
  }

  /** Resolves when the watch has told of it; `none` takes the network out. Throws KubeError. */
  async write(pod: PodResource, network: PodNetwork | 'none'): Promise<void> {
    if (isWritten(pod, this.#networkKey, network)) return
    const key = podKey(pod)
    this.#underWay.add(key)
    try {
      await this.#turns.run(() => this.#write(pod, network))
      await this.#seen(pod, network)
    } finally {
      this.#underWay.delete(key)
    }
  }

  stop(): void {
    this.#stop.abort()
  }

  #write(pod: PodResource, network: PodNetwork | 'none'): Promise<void> {
    const { kube } = this.#context
    return network === 'none'
      ? clearNetwork(kube, pod, this.#networkKey)
      : writeNetwork(kube, pod, { key: this.#networkKey, network })
  }

  /** A late watch holds up this pod alone, and not for ever. */
  async #seen(pod: PodResource, network: PodNetwork | 'none'): Promise<void> {
    const { pods, log } = this.#context
    const { name, namespace, uid } = pod.metadata
    const look = (): true | undefined => {
      const latest = pods.get(name, namespace)
      if (latest === undefined || latest.metadata.uid !== uid) return true
      // Taking out concerns one version of the pod: whatever comes after it shows how it went.
      const isSeen = latest !== pod && (network === 'none' || isWritten(latest, this.#networkKey, network))
      return isSeen ? true : undefined
    }
    const what = `the watch to tell of the annotation of pod ${podKey(pod)}`
    await waitFor(pods, look, { what, timeoutMs: 5000, signal: this.#stop.signal }).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) log.warn({ error: describeError(error) }, 'the watch of pods is late')
    })
  }
}

/**
 * Writes one network into the pod's annotation, by compare-and-swap, because networks share it. A pod that is gone or
 * was replaced by another of its name is left alone.
 */
async function writeNetwork(
  kube: KubeClient,
  pod: PodResource,
  { key, network }: { key: string; network: PodNetwork },
): Promise<void> {
  const { name, namespace, uid } = pod.metadata
  let latest: PodResource | undefined = pod
  await retry(
    async (attempt) => {
      if (attempt > 0) latest = await kube.find(podType, name, namespace)
      if (latest === undefined || latest.metadata.uid !== uid || isWritten(latest, key, network)) return
      await patch(kube, latest, { ...parsePodNetworks(latest), [key]: network })
    },
    { attempts: 8, minDelayMs: 5, maxDelayMs: 200, retryable: isConflict },
  ).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}

/**
 * Takes one network out of the annotation of this very version of the pod. A newer one may ask for the network again:
 * then nothing is written, and whoever watches pods hears of that version.
 */
async function clearNetwork(kube: KubeClient, pod: PodResource, key: string): Promise<void> {
  const { [key]: _, ...others } = parsePodNetworks(pod)
  await patch(kube, pod, others).catch((error: unknown) => {
    if (!isConflict(error) && !isNotFound(error)) throw error
  })
}

/** Whether the annotation says this of a network; `none`: says nothing. */
function isWritten(pod: PodResource, key: string, network: PodNetwork | 'none'): boolean {
  const written = parsePodNetworks(pod)[key]
  return network === 'none' ? written === undefined : JSON.stringify(written) === JSON.stringify(network)
}

async function patch(kube: KubeClient, pod: PodResource, networks: Record<string, PodNetwork>): Promise<void> {
  const { name, namespace, resourceVersion } = pod.metadata
  const value = Object.keys(networks).length === 0 ? null : JSON.stringify(networks)
  const body = { metadata: { resourceVersion, annotations: { [podNetworksAnnotation]: value } } }
  await kube.patch(podType, name, { type: 'merge', body }, { namespace })
}
