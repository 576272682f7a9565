import { runAll } from '../../../base/undo.ts'
import { nodes, pods } from '../../../kube/resources/core.ts'
import { releaseBlock } from '../ipam/affinity.ts'
import { allocationsOf, type BlockAllocation, ownerOf } from '../ipam/block.ts'
import { releaseByHandle } from '../ipam/release.ts'
import type { ClusterContext } from './context.ts'
import { isLeaked, podAllocationOf } from './find-leaks.ts'

/** Names that blocks, claims and allocations mention and that are no nodes, as far as the copy knows. */
export function suspectNodes({ deps, store, affinities }: ClusterContext): string[] {
  const blocks = store.view.list()
  const named = [
    ...blocks.flatMap((block) => ownerOf(block) ?? []),
    ...affinities.list().map(({ spec }) => spec.node),
    ...blocks.flatMap(allocationsOf).flatMap(({ attributes }) => attributes.secondary?.node ?? []),
  ]
  return [...new Set(named)].filter((name) => deps.nodes.get(name) === undefined)
}

/**
 * Gives back what a node that is gone had: the addresses of its pods and tunnels, its blocks, its claims. The API itself
 * is asked whether it is gone, and for its pods: as long as one is there, it may be running, on a node whose object was
 * deleted by mistake; it keeps its address and the block of that. What cannot be told whose it is stays, and does not
 * keep the rest.
 */
export async function releaseNode(context: ClusterContext, nodeName: string): Promise<void> {
  const { kube, log } = context.deps
  if ((await kube.find(nodes, nodeName)) !== undefined) return
  const { store, affinities } = context
  const held = store.view
    .list()
    .flatMap(allocationsOf)
    .filter(({ attributes }) => attributes.secondary?.node === nodeName)
  const living = await handlesOfLiving(context, held)
  const handles = new Set(held.flatMap(({ attributes }) => attributes.handle_id ?? []))
  const kept = new Set([...living].flatMap((handle) => store.view.holding(handle)).map(({ spec }) => spec.cidr))
  const claims = affinities.list().filter(({ spec }) => spec.node === nodeName)
  const cidrs = new Set([...store.view.ownedBy(nodeName), ...claims].map(({ spec }) => spec.cidr))
  const gone = [...handles].filter((handle) => !living.has(handle))
  await runAll(`release what node ${nodeName} had`, [
    ...gone.map((handle) => async () => void (await releaseByHandle({ kube, store }, handle))),
    ...[...cidrs]
      .filter((cidr) => !kept.has(cidr))
      .map((cidr) => () => releaseBlock({ kube, store }, { nodeName, cidr })),
  ])
  const facts = { node: nodeName, handles: gone.length, blocks: [...cidrs], keptForPods: living.size }
  log.info(facts, 'released what a deleted node had')
}

/** Handles of pods that the API still has there. */
async function handlesOfLiving({ deps }: ClusterContext, held: readonly BlockAllocation[]): Promise<Set<string>> {
  const living = new Set<string>()
  for (const allocation of held.flatMap((each) => podAllocationOf(each) ?? [])) {
    const pod = await deps.kube.find(pods, allocation.pod, allocation.namespace)
    if (!isLeaked(allocation, pod)) living.add(allocation.handleId)
  }
  return living
}
