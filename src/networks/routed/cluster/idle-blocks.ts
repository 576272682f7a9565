import type { Family } from '../../../base/ip.ts'
import type { NodeResource } from '../../../kube/resources/core.ts'
import { releaseEmptyBlock } from '../ipam/affinity.ts'
import { isEmpty, ownerOf } from '../ipam/block.ts'
import { mayClaim, poolOf } from '../ipam/pools.ts'
import type { IPAMBlock, IPPool } from '../resources.ts'
import type { ClusterContext } from './context.ts'

interface Facts {
  readonly blocks: readonly IPAMBlock[]
  readonly pools: readonly IPPool[]
  readonly nodes: readonly NodeResource[]
}

/**
 * Prefixes of empty blocks that their nodes can do without (as Calico does): of each family a node keeps one block of
 * the pools that it may claim from, so that its route does not come and go with its pods. Pure.
 */
export function idleBlocks({ blocks, pools, nodes }: Facts): string[] {
  const idle = blocks.filter((block) => block.spec.affinity == null && isEmpty(block))
  for (const node of nodes) {
    const own = blocks.filter((block) => ownerOf(block) === node.metadata.name)
    for (const family of [4, 6] as const) idle.push(...idleOf(node, own.filter(isOf(family)), pools))
  }
  return idle.map(({ spec }) => spec.cidr)
}

function idleOf(node: NodeResource, own: readonly IPAMBlock[], pools: readonly IPPool[]): IPAMBlock[] {
  const isUseful = ({ spec }: IPAMBlock): boolean => {
    const pool = poolOf(pools, spec.cidr)
    return pool !== undefined && mayClaim(pool, node.metadata.labels ?? {})
  }
  const useless = own.filter((block) => isEmpty(block) && !isUseful(block))
  const useful = own.filter(isUseful)
  const empty = useful.filter(isEmpty)
  return [...useless, ...(empty.length === useful.length ? empty.slice(1) : empty)]
}

/** Releases the block if it still is idle; the API is asked before. */
export async function releaseIdleBlock(context: ClusterContext, cidr: string): Promise<void> {
  const { deps, store, pools } = context
  const facts = { blocks: store.view.list(), pools: pools.list(), nodes: deps.nodes.list() }
  if (!idleBlocks(facts).includes(cidr)) return
  const block = await store.read(cidr)
  if (block === undefined || !isEmpty(block)) return
  const nodeName = ownerOf(block)
  const isGone =
    nodeName === undefined
      ? await store.delete(block)
      : await releaseEmptyBlock({ kube: deps.kube, store }, { nodeName, block })
  if (isGone) deps.log.info({ block: cidr, node: nodeName }, 'released an empty block')
}

function isOf(family: Family): (block: IPAMBlock) => boolean {
  return ({ spec }) => spec.cidr.includes(':') === (family === 6)
}
