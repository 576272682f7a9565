import { familyOf, parseAddress, parseInterfaceAddress } from '../../../base/ip.ts'
import { AddressUnavailableError, PodAddresses, type PodAddressesOptions } from './pod-addresses.ts'

interface Pool {
  readonly text: string
  readonly families: readonly PodAddresses[]
}

/**
 * Addresses of networks. A pool is what one switch gives out, one address a family; its key is the switch's name. A
 * changed pool starts empty: owners claim again what they have.
 */
export class AddressPools {
  readonly #pools = new Map<string, Pool>()

  /** Whether the pool is new or changed. */
  set(key: string, subnets: readonly string[], options: PodAddressesOptions): boolean {
    const text = JSON.stringify([subnets, options])
    if (this.#pools.get(key)?.text === text) return false
    this.#pools.set(key, { text, families: subnets.map((subnet) => new PodAddresses(subnet, options)) })
    return true
  }

  has(key: string): boolean {
    return this.#pools.has(key)
  }

  /** One free address of each family, with its length. Throws AddressUnavailableError; then nothing is taken. */
  allocate(key: string, owner: string): string[] {
    const taken: string[] = []
    try {
      for (const addresses of this.#families(key)) taken.push(withLengthOf(addresses.allocate(owner), addresses))
      return taken
    } catch (error) {
      this.release(key, owner, taken)
      throw error
    }
  }

  /** Takes these very addresses (`10.1.0.5/24` or without length). Throws AddressUnavailableError; then none is taken. */
  claim(key: string, owner: string, wanted: readonly string[]): string[] {
    const taken: string[] = []
    try {
      for (const text of wanted) {
        const address = bare(text)
        const addresses = this.#familyOf(key, address)
        const isOwn = addresses.ownerOf(address) === owner
        addresses.claim(address, owner)
        if (!isOwn) taken.push(text)
      }
      return wanted.map((text) => withLengthOf(bare(text), this.#familyOf(key, bare(text))))
    } catch (error) {
      this.release(key, owner, taken)
      throw error
    }
  }

  /** As `claim` for what an owner has already: what the pool cannot give any more stays with it all the same. */
  reclaim(key: string, owner: string, addresses: readonly string[]): void {
    for (const text of addresses) {
      try {
        this.claim(key, owner, [text])
      } catch (error) {
        if (!(error instanceof AddressUnavailableError)) throw error
      }
    }
  }

  release(key: string, owner: string, addresses: readonly string[]): void {
    for (const text of addresses) {
      for (const family of this.#families(key)) {
        if (family.cidr.family === familyOf(bare(text))) family.release(bare(text), owner)
      }
    }
  }

  #families(key: string): readonly PodAddresses[] {
    return this.#pools.get(key)?.families ?? []
  }

  #familyOf(key: string, address: string): PodAddresses {
    const family = familyOf(address)
    const found = this.#families(key).find(({ cidr }) => cidr.family === family)
    if (found === undefined) throw new AddressUnavailableError(`${address}: the network has no IPv${family} subnet`)
    return found
  }
}

function withLengthOf(address: string, { cidr }: PodAddresses): string {
  return `${address}/${cidr.prefixLength}`
}

function bare(text: string): string {
  return text.includes('/') ? parseInterfaceAddress(text).address : parseAddress(text).address
}
