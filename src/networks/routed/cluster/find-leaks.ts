import type { PodResource } from '../../../kube/resources/core.ts'
import { networkStatusAnnotation } from '../../../kube/resources/net-attach-def.ts'
import { allocationsOf, type BlockAllocation } from '../ipam/block.ts'
import type { IPAMBlock } from '../resources.ts'

/** An address that says which pod has it. */
export interface PodAllocation {
  readonly address: string
  readonly handleId: string
  readonly node: string
  readonly namespace: string
  readonly pod: string
}

/** Allocations of pods. Those without a pod, a namespace or a node are somebody else's and never garbage. */
export function podAllocations(blocks: readonly IPAMBlock[]): PodAllocation[] {
  return blocks.flatMap(allocationsOf).flatMap((allocation) => podAllocationOf(allocation) ?? [])
}

export function podAllocationOf({ address, attributes }: BlockAllocation): PodAllocation | undefined {
  const { node, namespace, pod } = attributes.secondary ?? {}
  const handleId = attributes.handle_id
  if (node === undefined || namespace === undefined || pod === undefined || handleId == null) return undefined
  return { address, handleId, node, namespace, pod }
}

/**
 * Whether the pod, as the API has it, no longer has the address (as Calico does). In doubt it does: a pod that has no
 * address in its status yet is still being started.
 */
export function isLeaked(allocation: PodAllocation, pod: PodResource | undefined): boolean {
  if (pod === undefined) return true
  const { spec, status } = pod
  if (spec?.nodeName !== undefined && spec.nodeName !== allocation.node) return true
  // Its containers have ended for good, and its sandbox with them.
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return true
  const known = addressesOf(pod)
  return known.length > 0 && !known.includes(allocation.address)
}

/** Addresses of all interfaces: status has only the first one's. */
function addressesOf(pod: PodResource): string[] {
  const inStatus = (pod.status?.podIPs ?? []).flatMap(({ ip }) => ip ?? [])
  if (inStatus.length === 0) return []
  const text = pod.metadata.annotations?.[networkStatusAnnotation]
  return [...inStatus, ...(text === undefined ? [] : networkStatusAddresses(text))]
}

function networkStatusAddresses(text: string): string[] {
  try {
    return (JSON.parse(text) as { ips?: string[] }[]).flatMap(({ ips }) => ips ?? [])
  } catch {
    return []
  }
}
