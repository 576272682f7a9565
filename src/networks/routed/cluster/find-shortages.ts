import { AddressError, type Family } from '../../../base/ip.ts'
import type { NodeResource } from '../../../kube/resources/core.ts'
import { blockSizeOf, mayClaim, poolCidr } from '../ipam/pools.ts'
import type { IPPool } from '../resources.ts'

export interface Shortage {
  readonly pool: IPPool
  readonly message: string
}

/**
 * Pools that leave nodes without a block of their own: such a node borrows single addresses of others, each a route of
 * its own, or, with strictAffinity, gets no pods. Nodes that have another pool to take from are counted with all of
 * their pools together. Pure.
 */
export function findShortages(pools: readonly IPPool[], nodes: readonly NodeResource[]): Shortage[] {
  return ([4, 6] as const).flatMap((family) => groupsOf(pools, nodes, family).flatMap(shortageOf))
}

interface Group {
  /** Those that the nodes may take blocks from. */
  readonly pools: readonly IPPool[]
  readonly nodes: readonly NodeResource[]
}

/** Nodes that may take from the same pools. */
function groupsOf(pools: readonly IPPool[], nodes: readonly NodeResource[], family: Family): Group[] {
  const ofFamily = pools.filter((pool) => givesBlocks(pool, family))
  const groups = new Map<string, { pools: readonly IPPool[]; nodes: NodeResource[] }>()
  for (const node of nodes) {
    const usable = ofFamily.filter((pool) => mayClaim(pool, node.metadata.labels ?? {}))
    const key = usable.map(({ metadata }) => metadata.name).join(' ')
    const group = groups.get(key) ?? { pools: usable, nodes: [] }
    group.nodes.push(node)
    groups.set(key, group)
  }
  return [...groups.values()]
}

function shortageOf({ pools, nodes }: Group): Shortage[] {
  const blocks = pools.reduce((sum, pool) => sum + blockCount(pool), 0)
  if (pools.length === 0 || nodes.length <= blocks) return []
  const names = pools.map(({ metadata }) => metadata.name).join(', ')
  const message = `${nodes.length} nodes take blocks from ${names}, which has ${blocks}: ${nodes.length - blocks} of them get none of their own and borrow single addresses; add an IPPool, or one with a longer blockSize`
  return pools.map((pool) => ({ pool, message }))
}

/** To every pod that asks for nothing special. */
function givesBlocks(pool: IPPool, family: Family): boolean {
  const { assignmentMode, namespaceSelector, allowedUses = ['Workload'] } = pool.spec
  if (assignmentMode === 'Manual' || namespaceSelector !== undefined || !allowedUses.includes('Workload')) return false
  try {
    return poolCidr(pool).family === family
  } catch (error) {
    if (error instanceof AddressError) return false
    throw error
  }
}

function blockCount(pool: IPPool): number {
  return 2 ** (blockSizeOf(pool) - poolCidr(pool).prefixLength)
}
