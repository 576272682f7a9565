import {
  bigintToAddress,
  type Cidr,
  cidrCovers,
  type Family,
  familyOf,
  formatCidr,
  isAddress,
  parseCidr,
} from '../../../base/ip.ts'

/** A prefix that nodes' subnets are cut from. */
export interface NodePool {
  /** e.g. `10.144.0.0/16` */
  readonly cidr: string
  /** Prefix length of a node's subnet. */
  readonly hostPrefix: number
}

export interface NodeClaim {
  readonly node: string
  /** What the node's annotation says, if anything. */
  readonly subnet: string | undefined
}

/**
 * A subnet for each node. A node keeps the one that it has when it lies in a pool, has the right size, and no node
 * before it has it; the others get the first that are free, in the order of the pools. Nodes for which none is left are
 * absent.
 */
export function allocateNodeSubnets(pools: readonly NodePool[], claims: readonly NodeClaim[]): Map<string, string> {
  const taken = new Map<string, string>()
  for (const { node, subnet } of claims) {
    if (subnet !== undefined && isUsable(pools, subnet) && ![...taken.values()].includes(subnet)) {
      taken.set(node, subnet)
    }
  }
  const used = new Set(taken.values())
  const free = subnetsOf(pools)
  for (const { node } of claims) {
    if (taken.has(node)) continue
    const subnet = nextFree(free, used)
    if (subnet !== undefined) taken.set(node, subnet)
  }
  return taken
}

/** A node and the subnets that its annotation says it has, one a family. */
export interface FamilyClaims {
  readonly node: string
  readonly subnets: readonly string[]
}

/** As allocateNodeSubnets for each family of the pools, IPv4 first. A node may get one of one family only. */
export function allocateByFamily(pools: readonly NodePool[], nodes: readonly FamilyClaims[]): Map<string, string[]> {
  const given = new Map<string, string[]>()
  for (const family of [4, 6] as const) {
    const claims = nodes.map(({ node, subnets }) => ({ node, subnet: subnets.find(isOf(family)) }))
    const ofFamily = pools.filter(({ cidr }) => isOf(family)(cidr))
    for (const [node, subnet] of allocateNodeSubnets(ofFamily, claims)) {
      given.set(node, [...(given.get(node) ?? []), subnet])
    }
  }
  return given
}

function isOf(family: Family): (prefix: string) => boolean {
  return (prefix) => {
    const [address = ''] = prefix.split('/')
    return isAddress(address) && familyOf(address) === family
  }
}

/** The first number from 2 that no node has; 1 is the cluster router's. Nodes keep the number that they have. */
export function allocateNodeNumbers(
  claims: readonly { node: string; number: number | undefined }[],
): Map<string, number> {
  const numbers = new Map<string, number>()
  const used = new Set<number>()
  for (const { node, number } of claims) {
    if (number === undefined || number < 2 || used.has(number)) continue
    numbers.set(node, number)
    used.add(number)
  }
  let next = 2
  for (const { node } of claims) {
    if (numbers.has(node)) continue
    while (used.has(next)) next++
    numbers.set(node, next)
    used.add(next)
  }
  return numbers
}

function isUsable(pools: readonly NodePool[], subnet: string): boolean {
  try {
    const parsed = parseCidr(subnet, { strict: true })
    return pools.some(
      ({ cidr, hostPrefix }) => parsed.prefixLength === hostPrefix && cidrCovers(parseCidr(cidr), parsed),
    )
  } catch {
    return false
  }
}

function nextFree(subnets: Iterator<string>, used: ReadonlySet<string>): string | undefined {
  for (let item = subnets.next(); item.done !== true; item = subnets.next())
    if (!used.has(item.value)) return item.value
  return undefined
}

function* subnetsOf(pools: readonly NodePool[]): Generator<string> {
  for (const { cidr, hostPrefix } of pools) {
    const net = parseCidr(cidr)
    const size = 1n << BigInt((net.family === 4 ? 32 : 128) - hostPrefix)
    for (let first = net.first + firstOffset(net, hostPrefix, size); first <= net.last; first += size) {
      yield formatCidr(parseCidr(`${bigintToAddress(first, net.family)}/${hostPrefix}`))
    }
  }
}

/** As upstream: a large IPv6 prefix is cut from its second part on, so that no node has the one that is all zeros. */
function firstOffset({ family, prefixLength }: Cidr, hostPrefix: number, size: bigint): bigint {
  return family === 6 && hostPrefix - prefixLength >= 16 ? size : 0n
}
