import { AddressPools } from '../ipam/address-pools.ts'
import type { PodPlace } from './pod-rows.ts'

export type PodIdentity = Pick<PodPlace, 'namespace' | 'name' | 'uid'>

/**
 * Who has which addresses. A pod (by UID) has at most one of a family; giving them up twice does nothing, so neither a
 * completed pod that is deleted later nor an event that is told twice can free somebody else's.
 */
export class AddressBook {
  /** By node. */
  readonly #pools = new AddressPools()
  readonly #places = new Map<string, PodPlace>()

  /** One subnet a family. Changed ones start empty but for the pods whose addresses lie in them still. */
  setSubnets(node: string, cidrs: readonly string[]): void {
    if (!this.#pools.set(node, cidrs, { of: 'node' })) return
    for (const place of this.#places.values()) {
      if (place.node === node) this.#pools.reclaim(node, ownerOf(place), place.addresses)
    }
  }

  hasSubnet(node: string): boolean {
    return this.#pools.has(node)
  }

  /** The place of a pod of this namespace and name, whatever its UID. */
  find(key: string): PodPlace | undefined {
    return this.#places.get(key)
  }

  keys(): Iterable<string> {
    return this.#places.keys()
  }

  /** Takes these very addresses (`10.144.0.5/24` or without length). Throws AddressUnavailableError. */
  claim(pod: PodIdentity, node: string, wanted: { addresses: readonly string[]; mac: string }): PodPlace {
    const addresses = this.#pools.claim(node, ownerOf(pod), wanted.addresses)
    return this.#put({ ...identity(pod), node, addresses, mac: wanted.mac })
  }

  /** Takes the next free address of each family. Throws AddressUnavailableError. */
  allocate(pod: PodIdentity, node: string, macFor: (addresses: readonly string[]) => string): PodPlace {
    const addresses = this.#pools.allocate(node, ownerOf(pod))
    return this.#put({ ...identity(pod), node, addresses, mac: macFor(addresses) })
  }

  /** A place that the same pod has left for another frees only what the other does not have. */
  release(place: PodPlace): void {
    const key = keyOfPod(place)
    const current = this.#places.get(key)
    if (current === place) this.#places.delete(key)
    const kept = current !== place && current?.uid === place.uid && current.node === place.node ? current.addresses : []
    const left = place.addresses.filter((address) => !kept.includes(address))
    this.#pools.release(place.node, ownerOf(place), left)
  }

  #put(place: PodPlace): PodPlace {
    this.#places.set(keyOfPod(place), place)
    return place
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
