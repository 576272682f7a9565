import { cidrCovers, hostPrefixOf, parseCidr } from '../../../base/ip.ts'
import { isConfirmed } from '../ipam/affinity.ts'
import { allocationsOf, ownerOf } from '../ipam/block.ts'
import type { BlockAffinity, IPAMBlock } from '../resources.ts'
import type { EncapsulatedPool } from './encapsulation.ts'

/** Where a prefix of a pool is: a block that is a node's for certain, or an address that a node has borrowed. */
export interface Placement {
  readonly prefix: string
  readonly node: string
}

/** Everything of these pools that is somewhere. A longer prefix wins in the kernel, so borrowed addresses do. */
export function placementsIn(
  pools: readonly EncapsulatedPool[],
  blocks: readonly IPAMBlock[],
  affinities: readonly BlockAffinity[],
): Placement[] {
  if (pools.length === 0) return []
  const claimed = new Set(affinities.filter(isConfirmed).map(({ spec }) => `${spec.node} ${spec.cidr}`))
  return blocks
    .filter(({ spec }) => spec.deleted !== true && isInside(pools, spec.cidr))
    .flatMap((block) => {
      const owner = ownerOf(block)
      const isOwned = owner !== undefined && claimed.has(`${owner} ${block.spec.cidr}`)
      return [...(isOwned ? [{ prefix: block.spec.cidr, node: owner }] : []), ...borrowedIn(block)]
    })
}

/** By block object, which a change replaces: most changes are to one block of many. */
const known = new WeakMap<IPAMBlock, Placement[]>()

/** Addresses of the block that are on other nodes than its owner. */
export function borrowedIn(block: IPAMBlock): Placement[] {
  const found = known.get(block) ?? findBorrowed(block)
  known.set(block, found)
  return found
}

function findBorrowed(block: IPAMBlock): Placement[] {
  const owner = ownerOf(block)
  // Most blocks are their owner's alone, which the attributes tell without a look at the addresses.
  if (block.spec.attributes.every(({ secondary }) => secondary?.node === undefined || secondary.node === owner))
    return []
  return allocationsOf(block).flatMap(({ address, attributes }) => {
    const node = attributes.secondary?.node
    return node === undefined || node === owner ? [] : [{ prefix: hostPrefixOf(address), node }]
  })
}

function isInside(pools: readonly EncapsulatedPool[], cidr: string): boolean {
  const block = parseCidr(cidr)
  return pools.some((pool) => cidrCovers(pool.cidr, block))
}
