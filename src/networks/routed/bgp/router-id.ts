import { createHash } from 'node:crypto'
import { bytesToAddress } from '../../../base/ip.ts'
import type { BgpNode } from './bgp-node.ts'

/**
 * 32 bits that no other node has (RFC 6286): the IPv4 address, or, on a node without one, a hash of its name, which
 * is neither 0.0.0.0 nor a multicast address.
 */
export function routerIdOf({ name, addresses }: Pick<BgpNode, 'name' | 'addresses'>): string {
  if (addresses[4] !== undefined) return addresses[4]
  const [first = 0, ...rest] = createHash('sha256').update(name).digest().subarray(0, 4)
  return bytesToAddress([1 + (first % 223), ...rest])
}
