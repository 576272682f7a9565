import { retry } from '../../../base/retry.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { isConflict, isNotFound } from '../../../kube/errors.ts'
import { type PodResource, pods as podType } from '../../../kube/resources/core.ts'
import { type PodNetwork, parsePodNetworks, podNetworksAnnotation } from '../annotations.ts'

/**
 * Writes one network into the pod's annotation, by compare-and-swap, because networks share it. A pod that is gone or
 * was replaced by another of its name is left alone.
 */
export async function annotatePod(kube: KubeClient, pod: PodResource, key: string, network: PodNetwork): Promise<void> {
  const { name, namespace, uid } = pod.metadata
  let latest: PodResource | undefined = pod
  await retry(
    async (attempt) => {
      if (attempt > 0) latest = await kube.find(podType, name, namespace)
      if (latest === undefined || latest.metadata.uid !== uid || isWritten(latest, key, network)) return
      await patch(kube, latest, key, network)
    },
    { attempts: 8, minDelayMs: 5, maxDelayMs: 200, retryable: isConflict },
  ).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}

async function patch(kube: KubeClient, pod: PodResource, key: string, network: PodNetwork): Promise<void> {
  const { name, namespace, resourceVersion } = pod.metadata
  const value = JSON.stringify({ ...parsePodNetworks(pod), [key]: network })
  const body = { metadata: { resourceVersion, annotations: { [podNetworksAnnotation]: value } } }
  await kube.patch(podType, name, { type: 'merge', body }, { namespace })
}

function isWritten(pod: PodResource, key: string, network: PodNetwork): boolean {
  return JSON.stringify(parsePodNetworks(pod)[key]) === JSON.stringify(network)
}
