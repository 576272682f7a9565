import { TwinlaneError } from '../../../base/errors.ts'
import { addressToBigint, bigintToAddress, type Cidr, cidrContains, parseCidr } from '../../../base/ip.ts'

/** An address cannot be given out: none is left, or the one asked for is not to be had. */
export class AddressUnavailableError extends TwinlaneError {}

export interface PodAddressesOptions {
  /** A node's subnet, in which the router and the node itself have the first two addresses, or a network's own. */
  readonly of: 'node' | 'network'
  /** Prefixes of which nothing is given out. */
  readonly excluded?: readonly string[]
}

interface Range {
  readonly first: bigint
  readonly last: bigint
}

/**
 * Addresses of one subnet. Each has one owner, so a second release, or one by somebody else, does nothing. The search
 * goes round: an address that was released is the last to be used again.
 */
export class PodAddresses {
  readonly cidr: Cidr
  readonly #text: string
  readonly #of: PodAddressesOptions['of']
  readonly #owners = new Map<bigint, string>()
  /** What may be given out, in order. */
  readonly #ranges: readonly Range[]
  readonly #size: bigint
  #previous: bigint

  constructor(subnet: string, options: PodAddressesOptions = { of: 'node' }) {
    this.#text = subnet
    this.#of = options.of
    this.cidr = parseCidr(subnet)
    this.#ranges = without(
      usableOf(this.cidr, options.of),
      (options.excluded ?? []).map((text) => parseCidr(text)),
    )
    this.#size = this.#ranges.reduce((sum, { first, last }) => sum + last - first + 1n, 0n)
    this.#previous = this.cidr.first
  }

  get used(): number {
    return this.#owners.size
  }

  ownerOf(address: string): string | undefined {
    return this.#owners.get(addressToBigint(address))
  }

  /** The next free address. Throws AddressUnavailableError when all are taken. */
  allocate(owner: string): string {
    if (BigInt(this.#owners.size) >= this.#size) throw this.#full()
    let candidate = this.#after(this.#previous)
    while (this.#owners.has(candidate)) candidate = this.#after(candidate)
    this.#take(candidate, owner)
    return bigintToAddress(candidate, this.cidr.family)
  }

  /** Takes this very address. The owner may have it already. Throws AddressUnavailableError. */
  claim(address: string, owner: string): void {
    const value = addressToBigint(address)
    if (!cidrContains(this.cidr, address)) {
      throw new AddressUnavailableError(`${address} is not in the ${this.#of}'s subnet ${this.#text}`)
    }
    if (!this.#ranges.some(({ first, last }) => value >= first && value <= last)) {
      throw new AddressUnavailableError(`${address} is reserved in ${this.#text}`)
    }
    const other = this.#owners.get(value)
    if (other !== undefined && other !== owner) throw new AddressUnavailableError(`${address} is in use by ${other}`)
    this.#take(value, owner)
  }

  release(address: string, owner: string): void {
    const value = addressToBigint(address)
    if (this.#owners.get(value) === owner) this.#owners.delete(value)
  }

  /** The next address that may be given out, from the beginning again after the last. */
  #after(value: bigint): bigint {
    const range = this.#ranges.find(({ last }) => last > value) ?? this.#ranges[0]
    if (range === undefined) throw this.#full()
    return value >= range.first && value < range.last ? value + 1n : range.first
  }

  #take(value: bigint, owner: string): void {
    this.#owners.set(value, owner)
    this.#previous = value
  }

  #full(): AddressUnavailableError {
    const fix =
      this.#of === 'node'
        ? 'delete pods on this node, or use a larger host prefix in netCidr'
        : 'delete pods of this network, or give it a larger subnet'
    return new AddressUnavailableError(`all ${this.#size} addresses of ${this.#text} are in use`, { fix })
  }
}

/** Without the network's own address and the broadcast; of a node's subnet without .1, the router, and .2, the node. */
function usableOf({ first, last, family }: Cidr, of: PodAddressesOptions['of']): Range {
  return { first: first + (of === 'node' ? 3n : 1n), last: family === 4 ? last - 1n : last }
}

function without(whole: Range, excluded: readonly Range[]): Range[] {
  const ranges: Range[] = []
  let first = whole.first
  for (const hole of [...excluded].sort((a, b) => (a.first < b.first ? -1 : 1))) {
    if (hole.first > first) ranges.push({ first, last: hole.first - 1n < whole.last ? hole.first - 1n : whole.last })
    if (hole.last >= first) first = hole.last + 1n
  }
  if (first <= whole.last) ranges.push({ first, last: whole.last })
  return ranges.filter((range) => range.first <= range.last)
}
