import type { KubeClient } from '../../../kube/api.ts'
import { addressesOf, isEmpty, ownerOf, releaseHandle } from './block.ts'
import type { BlockStore } from './block-store.ts'
import type { HandleIndex } from './handle-index.ts'
import { deleteHandle, findHandle } from './handles.ts'

/**
 * Gives back everything that the handle holds; nothing is success. Blocks first, the handle last, so that a release
 * that is cut short can be done again. Returns the addresses that it freed.
 */
export async function releaseByHandle(
  deps: { kube: KubeClient; store: BlockStore },
  handleId: string,
): Promise<string[]> {
  const handle = await findHandle(deps.kube, handleId)
  const seen = deps.store.view.holding(handleId)
  const cidrs = new Set([...Object.keys(handle?.spec.block ?? {}), ...seen.map(({ spec }) => spec.cidr)])
  const freed: string[] = []
  for (const cidr of cidrs) freed.push(...(await releaseInBlock(deps.store, cidr, handleId)))
  if (handle !== undefined) await deleteHandle(deps.kube, handle)
  return freed
}

/**
 * Gives back what a handle of this node holds, from what this process has seen: no reading, one write a block. The
 * handle's object follows.
 */
export async function releaseOwn(deps: { store: BlockStore; handles: HandleIndex }, handleId: string): Promise<void> {
  const { store, handles } = deps
  const doubtful = handles.doubtful(handleId)
  await Promise.all(doubtful.map((cidr) => store.read(cidr)))
  const holding = store.view.holding(handleId)
  await Promise.all(holding.map(({ spec }) => releaseInBlock(store, spec.cidr, handleId)))
  handles.settle(handleId)
  handles.note(handleId)
}

async function releaseInBlock(store: BlockStore, cidr: string, handleId: string): Promise<string[]> {
  const resident = store.view.find(cidr)
  // The view may be older than the allocation; the handle says that there is one.
  if (resident === undefined || addressesOf(resident, handleId).length === 0) await store.read(cidr)
  let freed: string[] = []
  const written = await store.update(cidr, (block) => {
    freed = addressesOf(block, handleId)
    return releaseHandle(block, handleId)
  })
  if (written !== undefined && isEmpty(written) && ownerOf(written) === undefined) await store.delete(written)
  return written === undefined ? [] : freed
}
