import { parseCidr } from '../../../base/ip.ts'
import { affinityName, claimBlock, isConfirmed, releaseBlock } from '../ipam/affinity.ts'
import { isEmpty, ownerOf } from '../ipam/block.ts'
import { blockAffinities } from '../resources.ts'
import type { ClusterContext } from './context.ts'

/** Names of claims that nobody has brought to their end: begun or given up half, or confirmed without a block. */
export function staleClaims({ affinities, store }: Pick<ClusterContext, 'affinities' | 'store'>): string[] {
  return affinities
    .list()
    .filter((affinity) => {
      const block = store.view.find(affinity.spec.cidr)
      const isOwner = block !== undefined && ownerOf(block) === affinity.spec.node
      return !isConfirmed(affinity) || !isOwner
    })
    .map(({ metadata }) => metadata.name)
}

/**
 * Ends a claim that is as it was a grace time ago: completed when the block is the node's and in use, else given up for
 * good. The API is asked. A pending one whose block is the node's is left to the node.
 */
export async function endClaim({ deps, store }: ClusterContext, name: string): Promise<void> {
  const { kube, log } = deps
  const affinity = await kube.find(blockAffinities, name)
  if (affinity === undefined) return
  const { node, cidr, state } = affinity.spec
  if (name !== affinityName(node, cidr)) return
  const block = await store.read(cidr)
  const isOwner = block !== undefined && ownerOf(block) === node
  if (isOwner && state !== 'pendingDeletion') return
  if (isOwner && !isEmpty(block)) await claimBlock({ kube, store, nodeName: node, now: Date.now }, parseCidr(cidr))
  else await releaseBlock({ kube, store }, { nodeName: node, cidr })
  log.info({ node, block: cidr, state }, 'ended a claim that was left half done')
}
