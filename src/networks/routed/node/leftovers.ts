import { parseCidr } from '../../../base/ip.ts'
import type { Informer } from '../../../kube/api.ts'
import type { NodeDeps } from '../../driver.ts'
import { claimBlock, isConfirmed, releaseBlock } from '../ipam/affinity.ts'
import { isEmpty, ownerOf } from '../ipam/block.ts'
import type { BlockStore } from '../ipam/block-store.ts'
import { releaseByHandle, releaseOwn } from '../ipam/release.ts'
import type { BlockAffinity } from '../resources.ts'
import type { NodeContext } from './context.ts'

/** Frees what could not be freed when the API server was away. */
export async function releasePending({ releases, store, handles, deps: { kube } }: NodeContext): Promise<void> {
  for (const handleId of await releases.list()) {
    await releaseByHandle({ kube, store }, handleId)
    // What this process may have taken, or written into the index, without having heard the end of it.
    await releaseOwn({ store, handles }, handleId)
    await releases.remove(handleId)
  }
}

/**
 * Claims and releases of blocks that a crash has left half done: the release of an empty block is done; any other
 * block of this node is claimed to the end; a claim without a block is dropped.
 */
export async function completeClaims(
  { store, deps: { kube, nodeName } }: Pick<NodeContext, 'store'> & { deps: Pick<NodeDeps, 'kube' | 'nodeName'> },
  affinities: Informer<BlockAffinity>,
): Promise<void> {
  const own = affinities.list().filter(({ spec }) => spec.node === nodeName)
  for (const affinity of own.filter((each) => !isComplete(each, store, nodeName))) {
    const { cidr, state } = affinity.spec
    const block = await store.read(cidr)
    const isOwner = block !== undefined && ownerOf(block) === nodeName
    const isWanted = isOwner && (state !== 'pendingDeletion' || !isEmpty(block))
    if (isWanted) await claimBlock({ kube, store, nodeName, now: Date.now }, parseCidr(cidr))
    else await releaseBlock({ kube, store }, { nodeName, cidr })
  }
  const confirmed = new Set(own.map(({ spec }) => spec.cidr))
  for (const { spec } of store.view.ownedBy(nodeName).filter((block) => !confirmed.has(block.spec.cidr))) {
    await claimBlock({ kube, store, nodeName, now: Date.now }, parseCidr(spec.cidr))
  }
}

function isComplete(affinity: BlockAffinity, store: BlockStore, nodeName: string): boolean {
  const block = store.view.find(affinity.spec.cidr)
  return isConfirmed(affinity) && block !== undefined && ownerOf(block) === nodeName
}
