import { type Cidr, cidrContains, cidrCovers, cidrsOverlap, type Family, parseCidr } from '../../../base/ip.ts'
import type { IPAMBlock, IPPool } from '../resources.ts'
import { type Labels, matchesSelector, parseSelector } from '../selector.ts'
import { poolStates } from './check-pool.ts'
import { IpamError, notAssigned } from './errors.ts'

export interface PoolChoice {
  readonly family: Family
  readonly nodeName: string
  readonly nodeLabels: Labels
  readonly namespaceLabels?: Labels | undefined
  /** Names or prefixes, from the CNI configuration or an annotation. Empty: any pool that may be used. */
  readonly requested: readonly string[]
  /** A certain address: it may be in any pool that is enabled, whatever the pool selects (as Calico does). */
  readonly address?: string | undefined
}

/**
 * Pools that a pod on this node may get an address of the family from, in the order in which they are tried (as Calico does).
 * Pools asked for by name need not select the node, but must exist and be enabled. Throws IpamError when none is left.
 */
export function selectPools(pools: readonly IPPool[], choice: PoolChoice): IPPool[] {
  const enabled = usablePools(pools, choice.family)
  const candidates = candidatesOf(enabled, choice)
  const qualified = candidates.filter((pool) => pool.spec.allowedUses?.includes('Workload') ?? true)
  if (qualified.length > 0) return qualified
  throw new IpamError(notAssigned(choice.family, 'cannot find a qualified ippool'), {
    fix: 'add Workload to allowedUses of an IPPool',
  })
}

function candidatesOf(enabled: readonly IPPool[], choice: PoolChoice): readonly IPPool[] {
  if (choice.requested.length > 0) return requestedPools(enabled, choice)
  return choice.address !== undefined && enabled.length > 0 ? enabled : automaticPools(enabled, choice)
}

/** 26 for IPv4, 122 for IPv6, unless the pool says otherwise. */
export function blockSizeOf(pool: IPPool): number {
  return pool.spec.blockSize ?? (poolCidr(pool).family === 4 ? 26 : 122)
}

export function poolCidr(pool: IPPool): Cidr {
  return parseCidr(pool.spec.cidr)
}

/** The pool that holds the address or block, if one does. */
export function poolOf(pools: readonly IPPool[], addressOrCidr: string): IPPool | undefined {
  return pools.find((pool) =>
    addressOrCidr.includes('/')
      ? cidrCovers(poolCidr(pool), parseCidr(addressOrCidr))
      : cidrContains(poolCidr(pool), addressOrCidr),
  )
}

/**
 * Prefixes of blocks in the pool that are not of its size: somebody has made the pool anew with another one while
 * addresses were in use. What overlaps them must not be claimed, or addresses would be given out twice.
 */
export function blocksOfOtherSize(pool: IPPool, blocks: readonly IPAMBlock[]): Cidr[] {
  const [whole, length] = [poolCidr(pool), `/${blockSizeOf(pool)}`]
  return blocks
    .filter(({ spec }) => !spec.cidr.endsWith(length))
    .map(({ spec }) => parseCidr(spec.cidr))
    .filter((cidr) => cidrsOverlap(whole, cidr))
}

/** Pools that the node's own address on a tunnel may come from: those that the tunnel is for (as Calico does). */
export function selectTunnelPools(
  pools: readonly IPPool[],
  { family, nodeLabels }: { family: Family; nodeLabels: Labels },
): IPPool[] {
  const fit = usablePools(pools, family)
    .filter(({ spec }) => selects(spec.nodeSelector, nodeLabels))
    .filter(({ spec }) => spec.allowedUses?.includes('Tunnel') ?? true)
  if (fit.length > 0) return fit
  throw new IpamError('no IPPool that is encapsulated gives an address for the tunnel itself', {
    fix: 'add Tunnel to allowedUses of the encapsulated IPPool, enable it, and widen its nodeSelector to this node',
  })
}

function requestedPools(enabled: readonly IPPool[], { requested, family }: PoolChoice): IPPool[] {
  return requested.map((wanted) => {
    const found = enabled.find((pool) => pool.metadata.name === wanted || pool.spec.cidr === wanted)
    if (found !== undefined) return found
    throw new IpamError(notAssigned(family, `the given pool (${wanted}) does not exist, or is not enabled`), {
      fix: `create or enable the IPPool, or name another in ipv${family}_pools`,
    })
  })
}

function automaticPools(enabled: readonly IPPool[], choice: PoolChoice): IPPool[] {
  const found = enabled.filter((pool) => isAutomaticFor(pool, choice))
  if (found.length > 0) return found
  throw new IpamError(notAssigned(choice.family, `no configured Calico pools for node ${choice.nodeName}`), {
    fix: `create an IPPool of IPv${choice.family}, or widen the nodeSelector of one`,
  })
}

function isAutomaticFor(pool: IPPool, choice: PoolChoice): boolean {
  const { nodeSelector, namespaceSelector, assignmentMode } = pool.spec
  if (assignmentMode === 'Manual') return false
  if (!selects(nodeSelector, choice.nodeLabels)) return false
  return namespaceSelector === undefined || selects(namespaceSelector, choice.namespaceLabels ?? {})
}

/** A selector that cannot be read selects nothing: better no address than one from the wrong pool. */
function selects(selector: string | undefined, labels: Labels): boolean {
  try {
    return matchesSelector(parseSelector(selector ?? ''), labels)
  } catch {
    return false
  }
}

/** Whether nodes with these labels may claim blocks of the pool. */
export function mayClaim(pool: IPPool, nodeLabels: Labels): boolean {
  return pool.spec.disabled !== true && selects(pool.spec.nodeSelector, nodeLabels)
}

/** Those of which addresses may be given out at all, by name. */
/** Pools of the family that nothing is wrong with, in the order of their names. */
export function usablePools(pools: readonly IPPool[], family: Family): IPPool[] {
  const states = poolStates(pools)
  return pools.filter((pool) => states.get(pool)?.state === 'OK' && poolCidr(pool).family === family).sort(byName)
}

function byName(a: IPPool, b: IPPool): number {
  return a.metadata.name < b.metadata.name ? -1 : 1
}
