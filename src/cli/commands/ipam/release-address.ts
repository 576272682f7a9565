import type { KubeClient } from '../../../kube/api.ts'
import { isConflict, isNotFound } from '../../../kube/errors.ts'
import {
  addressesOf,
  allocationsOf,
  type BlockAllocation,
  releaseAddress,
} from '../../../networks/routed/ipam/block.ts'
import { syncHandle } from '../../../networks/routed/ipam/handles.ts'
import { ipamBlocks } from '../../../networks/routed/resources.ts'
import { loadIpam } from './load.ts'

/**
 * Frees one address and lets its handle follow. Asks `mayRelease` again, with what is there then, whenever somebody else
 * has changed the block meanwhile. Tells whether the address was given out and has been freed.
 */
export async function freeAddress(
  kube: KubeClient,
  address: string,
  mayRelease: (allocation: BlockAllocation) => Promise<boolean>,
): Promise<boolean> {
  for (;;) {
    const { blocks } = await loadIpam(kube)
    const found = blocks
      .flatMap((block) => allocationsOf(block).map((allocation) => ({ block, allocation })))
      .find(({ allocation }) => allocation.address === address)
    if (found === undefined || !(await mayRelease(found.allocation))) return false
    try {
      await kube.update(ipamBlocks, releaseAddress(found.block, address))
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) continue
      throw error
    }
    await followHandle(kube, found.allocation.attributes.handle_id ?? '')
    return true
  }
}

/** A handle says what the blocks say; one that holds nothing any more goes. */
export async function followHandle(kube: KubeClient, handleId: string): Promise<void> {
  if (handleId === '') return
  const { blocks } = await loadIpam(kube)
  const held = blocks.map((block): [string, number] => [block.spec.cidr, addressesOf(block, handleId).length])
  await syncHandle(kube, handleId, { blocks: Object.fromEntries(held.filter(([, count]) => count > 0)), isNew: false })
}
