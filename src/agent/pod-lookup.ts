import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { Informer, KubeClient } from '../kube/api.ts'
import { type PodResource, pods } from '../kube/resources/core.ts'
import type { PodRef } from '../networks/driver.ts'

/** Where a pod may be found. */
export interface PodSources {
  readonly kube: KubeClient
  readonly pods: Informer<PodResource>
}

/** Which pod the runtime means (CNI_ARGS of the kubelet). Throws CniError. */
export function readPodRef(args: Readonly<Record<string, string>>): PodRef {
  const { K8S_POD_NAMESPACE: namespace = '', K8S_POD_NAME: name = '', K8S_POD_UID: uid = '' } = args
  if (namespace !== '' && name !== '') return { namespace, name, uid }
  throw new CniError(cniErrorCode.invalidEnvironment, 'CNI_ARGS has no K8S_POD_NAMESPACE and K8S_POD_NAME', {
    fix: 'Call the plugin for a Kubernetes pod.',
  })
}

/**
 * The pod as the API server has it: from the informer, and by one live request if the informer does not have it yet.
 * A pod of the same name but another UID is another pod. Throws CniError with code 11.
 */
export async function getPod(ref: PodRef, sources: PodSources): Promise<PodResource> {
  const cached = sources.pods.get(ref.name, ref.namespace)
  if (cached !== undefined && isSamePod(cached, ref)) return cached
  const live = await sources.kube.find(pods, ref.name, ref.namespace)
  if (live === undefined) throw tryAgain(`pod ${ref.namespace}/${ref.name} does not exist in the API server`)
  if (isSamePod(live, ref)) return live
  throw tryAgain(
    `pod ${ref.namespace}/${ref.name} has the UID ${live.metadata.uid}, but the runtime asks for ${ref.uid}: it has been replaced`,
  )
}

/** A static pod has another UID in the API server than on its node. */
function isSamePod(pod: PodResource, ref: PodRef): boolean {
  const source = pod.metadata.annotations?.['kubernetes.io/config.source']
  return ref.uid === '' || pod.metadata.uid === ref.uid || (source !== undefined && source !== 'api')
}

function tryAgain(problem: string): CniError {
  return new CniError(cniErrorCode.tryAgainLater, problem)
}
