import { TwinlaneError } from '../../../base/errors.ts'
import { addressToBigint, bigintToAddress, type Cidr, cidrContains, parseCidr } from '../../../base/ip.ts'

/** An address cannot be given out: none is left, or the one asked for is not to be had. */
export class AddressUnavailableError extends TwinlaneError {}

/**
 * Addresses of one node's subnet. Each has one owner, so a second release, or one by somebody else, does nothing.
 * The search goes round: an address that was released is the last to be used again.
 */
export class PodAddresses {
  readonly cidr: Cidr
  readonly #text: string
  readonly #owners = new Map<bigint, string>()
  readonly #first: bigint
  readonly #last: bigint
  #previous: bigint

  constructor(subnet: string) {
    this.#text = subnet
    this.cidr = parseCidr(subnet)
    // The network, .1 the router and .2 the management port are before the first, the broadcast is after the last.
    this.#first = this.cidr.first + 3n
    this.#last = this.cidr.last - 1n
    this.#previous = this.#first - 1n
  }

  get used(): number {
    return this.#owners.size
  }

  ownerOf(address: string): string | undefined {
    return this.#owners.get(addressToBigint(address))
  }

  /** The next free address. Throws AddressUnavailableError when all are taken. */
  allocate(owner: string): string {
    const size = this.#last - this.#first + 1n
    for (let step = 1n; step <= size; step++) {
      const candidate = this.#first + ((this.#previous - this.#first + step + size) % size)
      if (this.#owners.has(candidate)) continue
      this.#take(candidate, owner)
      return bigintToAddress(candidate, 4)
    }
    throw new AddressUnavailableError(`all ${size} addresses of ${this.#text} are in use`, {
      fix: 'delete pods on this node, or use a larger host prefix in netCidr',
    })
  }

  /** Takes this very address. The owner may have it already. Throws AddressUnavailableError. */
  claim(address: string, owner: string): void {
    const value = addressToBigint(address)
    if (!cidrContains(this.cidr, address)) {
      throw new AddressUnavailableError(`${address} is not in the node's subnet ${this.#text}`)
    }
    if (value < this.#first || value > this.#last) {
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

  #take(value: bigint, owner: string): void {
    this.#owners.set(value, owner)
    this.#previous = value
  }
}
