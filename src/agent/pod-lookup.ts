import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { CniRequest } from '../cni/request.ts'
import type { Informer, KubeClient } from '../kube/api.ts'
import { type PodResource, pods } from '../kube/resources/core.ts'
import type { PodRef } from '../networks/driver.ts'

/** Where a pod may be found. */
export interface PodSources {
  readonly kube: KubeClient
  readonly pods: Informer<PodResource>
}

/**
 * Which pod the runtime means (CNI_ARGS of the kubelet's runtimes), or the container itself when it is no pod: `ctr`
 * says nothing about pods, podman gives the container's name in K8S_POD_NAME alone. Half a pod is a mistake.
 * Throws CniError.
 */
export function readPodRef({ args, containerId }: Pick<CniRequest, 'args' | 'containerId'>): PodRef {
  const { K8S_POD_NAMESPACE: namespace = '', K8S_POD_NAME: name = '', K8S_POD_UID: uid = '' } = args
  if (namespace !== '' && name !== '') return { namespace, name, uid }
  const isNoPod = namespace === '' && uid === '' && (args.K8S_POD_INFRA_CONTAINER_ID ?? '') === ''
  if (isNoPod) return { namespace: '', name: containerId, uid: '' }
  throw new CniError(cniErrorCode.invalidEnvironment, 'CNI_ARGS names a Kubernetes pod only in part', {
    fix: 'Give both K8S_POD_NAMESPACE and K8S_POD_NAME for a pod; for any other container neither, nor K8S_POD_UID.',
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
