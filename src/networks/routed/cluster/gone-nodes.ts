import { runAll } from '../../../base/undo.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { releaseBlock } from '../ipam/affinity.ts'
import { allocationsOf, ownerOf } from '../ipam/block.ts'
import { releaseByHandle } from '../ipam/release.ts'
import type { ClusterContext } from './context.ts'

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
 * Gives back everything of a node that is gone: the addresses of its pods and tunnels, its blocks, its claims. The API
 * itself is asked whether it is gone. What cannot be told whose it is stays, and does not keep the rest.
 */
export async function releaseNode(context: ClusterContext, nodeName: string): Promise<void> {
  const { kube, log } = context.deps
  if ((await kube.find(nodes, nodeName)) !== undefined) return
  const { store, affinities } = context
  const blocks = store.view.list()
  const handles = new Set(
    blocks
      .flatMap(allocationsOf)
      .filter(({ attributes }) => attributes.secondary?.node === nodeName)
      .flatMap(({ attributes }) => attributes.handle_id ?? []),
  )
  const claims = affinities.list().filter(({ spec }) => spec.node === nodeName)
  const cidrs = new Set([...store.view.ownedBy(nodeName), ...claims].map(({ spec }) => spec.cidr))
  await runAll(`release what node ${nodeName} had`, [
    ...[...handles].map((handle) => async () => void (await releaseByHandle({ kube, store }, handle))),
    ...[...cidrs].map((cidr) => () => releaseBlock({ kube, store }, { nodeName, cidr })),
  ])
  log.info({ node: nodeName, handles: handles.size, blocks: [...cidrs] }, 'released what a deleted node had')
}
