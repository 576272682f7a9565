import { parseInterfaceAddress } from '../../../base/ip.ts'
import { PodAddresses } from '../ipam/pod-addresses.ts'
import type { PodPlace } from './pod-rows.ts'

export type PodIdentity = Pick<PodPlace, 'namespace' | 'name' | 'uid'>

/**
 * Who has which address. A pod (by UID) has at most one; giving it up twice does nothing, so neither a completed pod
 * that is deleted later nor an event that is told twice can free somebody else's.
 */
export class AddressBook {
  readonly #subnets = new Map<string, { cidr: string; addresses: PodAddresses }>()
  readonly #places = new Map<string, PodPlace>()

  /** A changed subnet starts empty: its pods must be started again. */
  setSubnet(node: string, cidr: string): void {
    if (this.#subnets.get(node)?.cidr === cidr) return
    this.#subnets.set(node, { cidr, addresses: new PodAddresses(cidr) })
  }

  hasSubnet(node: string): boolean {
    return this.#subnets.has(node)
  }

  /** The place of a pod of this namespace and name, whatever its UID. */
  find(key: string): PodPlace | undefined {
    return this.#places.get(key)
  }

  keys(): Iterable<string> {
    return this.#places.keys()
  }

  /** Takes this very address (`10.144.0.5/24` or without length). Throws AddressUnavailableError. */
  claim(pod: PodIdentity, node: string, wanted: { address: string; mac: string }): PodPlace {
    const address = wanted.address.includes('/') ? parseInterfaceAddress(wanted.address).address : wanted.address
    const { cidr, addresses } = this.#subnet(node)
    addresses.claim(address, ownerOf(pod))
    return this.#put({ ...identity(pod), node, subnet: cidr, address, mac: wanted.mac })
  }

  /** Takes the next free address. Throws AddressUnavailableError. */
  allocate(pod: PodIdentity, node: string, macFor: (address: string) => string): PodPlace {
    const { cidr, addresses } = this.#subnet(node)
    const address = addresses.allocate(ownerOf(pod))
    return this.#put({ ...identity(pod), node, subnet: cidr, address, mac: macFor(address) })
  }

  /** A place that the same pod has left for another frees only what the other does not have. */
  release(place: PodPlace): void {
    const key = keyOfPod(place)
    const current = this.#places.get(key)
    if (current === place) this.#places.delete(key)
    else if (current?.uid === place.uid && current.address === place.address) return
    this.#subnets.get(place.node)?.addresses.release(place.address, ownerOf(place))
  }

  #put(place: PodPlace): PodPlace {
    this.#places.set(keyOfPod(place), place)
    return place
  }

  #subnet(node: string): { cidr: string; addresses: PodAddresses } {
    const subnet = this.#subnets.get(node)
    if (subnet === undefined) throw new Error(`node ${node} has no subnet yet`)
    return subnet
  }
}

export function keyOfPod({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`
}

function ownerOf({ namespace, name, uid }: PodIdentity): string {
  return `${namespace}/${name} (${uid})`
}

function identity({ namespace, name, uid }: PodIdentity): PodIdentity {
  return { namespace, name, uid }
}
