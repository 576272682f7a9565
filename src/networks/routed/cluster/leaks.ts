import { pods } from '../../../kube/resources/core.ts'
import { releaseByHandle } from '../ipam/release.ts'
import type { ClusterContext } from './context.ts'
import { isLeaked, type PodAllocation, podAllocations } from './find-leaks.ts'

/** Handles with an address that no pod has, as far as the copies know. */
export function suspectHandles({ deps, store }: ClusterContext): string[] {
  const leaked = podAllocations(store.view.list()).filter((allocation) =>
    isLeaked(allocation, deps.pods.get(allocation.pod, allocation.namespace)),
  )
  return [...new Set(leaked.map(({ handleId }) => handleId))]
}

/** Handles of a pod by its name. */
export function handlesOfPod({ store }: ClusterContext, pod: { name: string; namespace?: string }): string[] {
  return podAllocations(store.view.list())
    .filter((allocation) => allocation.pod === pod.name && allocation.namespace === pod.namespace)
    .map(({ handleId }) => handleId)
}

/**
 * Gives back what the handle holds if no pod has any of it. Asks the API itself: a copy that lags must not cost a
 * living pod its address.
 */
export async function releaseLeak({ deps, store }: ClusterContext, handleId: string): Promise<void> {
  const { kube, log } = deps
  const allocations: PodAllocation[] = podAllocations(store.view.holding(handleId)).filter(
    (allocation) => allocation.handleId === handleId,
  )
  if (allocations.length === 0) return
  for (const allocation of allocations) {
    const pod = await kube.find(pods, allocation.pod, allocation.namespace)
    if (!isLeaked(allocation, pod)) return
  }
  const freed = await releaseByHandle({ kube, store }, handleId)
  log.warn({ handleId, freed, pod: allocations[0]?.pod }, 'released addresses that no pod has')
}
