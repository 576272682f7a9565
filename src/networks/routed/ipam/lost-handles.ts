import type { KubeClient } from '../../../kube/api.ts'
import { ipamHandles } from '../resources.ts'
import type { BlockStore } from './block-store.ts'
import type { HandleIndex } from './handle-index.ts'

/**
 * Notes the handles in this node's blocks that hold nothing: a process that was killed had freed their addresses and
 * not yet got to the objects. Handles are read before the blocks: whoever holds an address has it in a block before
 * there is a handle. Page by page, for a cluster has as many as it has pods.
 */
export async function noteLostHandles(
  { kube, store, handles }: { kube: KubeClient; store: BlockStore; handles: HandleIndex },
  nodeName: string,
): Promise<void> {
  const cidrs = new Set(store.view.ownedBy(nodeName).map(({ spec }) => spec.cidr))
  const suspects: string[] = []
  for await (const { items } of kube.pages(ipamHandles)) {
    for (const { spec } of items) {
      const isOwn = Object.keys(spec.block).every((cidr) => cidrs.has(cidr))
      if (isOwn && !isHeld(store, spec.handleID)) suspects.push(spec.handleID)
    }
  }
  if (suspects.length === 0) return
  await Promise.all([...cidrs].map((cidr) => store.read(cidr)))
  for (const handleId of suspects) if (!isHeld(store, handleId)) handles.note(handleId)
}

function isHeld({ view }: BlockStore, handleId: string): boolean {
  return view.holding(handleId).length > 0
}
