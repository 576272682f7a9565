import { bigintToAddress, type Cidr, cidrOf } from '../../../base/ip.ts'
import type { IPPool } from '../resources.ts'
import { blockSizeOf, poolCidr } from './pools.ts'

/**
 * Every block of a pool once, from a place that depends on the node, so that nodes that start together do not fight
 * over the same blocks (as Calico does).
 */
export function* blockCandidates(pool: IPPool, nodeName: string): Generator<Cidr> {
  const cidr = poolCidr(pool)
  const blockSize = blockSizeOf(pool)
  const addressesPerBlock = 1n << BigInt((cidr.family === 4 ? 32 : 128) - blockSize)
  const count = (cidr.last - cidr.first + 1n) / addressesPerBlock
  const start = count === 0n ? 0n : BigInt(fnv32(nodeName)) % count
  for (let step = 0n; step < count; step++) {
    const first = cidr.first + ((start + step) % count) * addressesPerBlock
    yield cidrOf(bigintToAddress(first, cidr.family), blockSize, cidr.family)
  }
}

/** FNV-1, 32 bits. */
export function fnv32(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0
  return hash
}
