import type { IPAMBlock } from '../resources.ts'
import { type ClaimDeps, releaseEmptyBlock } from './affinity.ts'
import { isEmpty, ownerOf } from './block.ts'

/** As Calico's: a block that has just been claimed is about to be used. */
const leastAgeMs = 60_000

/**
 * Empty blocks of other nodes that were claimed a while ago: a node that needs a block and finds none left takes one of
 * them instead of borrowing single addresses, or of being refused (as Calico does since 3.31). Pure.
 */
export function idleBlocksOfOthers(others: readonly IPAMBlock[], now: number): IPAMBlock[] {
  return others.filter((block) => {
    const { affinityClaimTime: claimed } = block.spec
    const isOld = claimed == null || now - Date.parse(claimed) > leastAgeMs
    return ownerOf(block) !== undefined && isOld && isEmpty(block)
  })
}

/** Tells whether the block is nobody's now: its owner may have taken an address of it meanwhile. */
export async function takeFromOwner({ kube, store }: ClaimDeps, { spec }: IPAMBlock): Promise<boolean> {
  const block = await store.read(spec.cidr)
  const owner = block === undefined ? undefined : ownerOf(block)
  if (block === undefined) return true
  if (owner === undefined || !isEmpty(block)) return false
  return await releaseEmptyBlock({ kube, store }, { nodeName: owner, block })
}
