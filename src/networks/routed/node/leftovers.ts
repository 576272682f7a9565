import { parseCidr } from '../../../base/ip.ts'
import type { Informer } from '../../../kube/api.ts'
import { claimBlock } from '../ipam/affinity.ts'
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

/** Claims that a crash has left half done. */
export async function completeClaims(
  { store, deps: { kube, nodeName } }: NodeContext,
  affinities: Informer<BlockAffinity>,
): Promise<void> {
  const pending = affinities.list().filter(({ spec }) => spec.node === nodeName && spec.state === 'pending')
  for (const { spec } of pending) {
    await claimBlock({ kube, store, nodeName, now: Date.now }, parseCidr(spec.cidr))
  }
}
