import type { PodResource } from '../../../../kube/resources/core.ts'
import { findNodeSubnets, isAsAsked, type PodNetwork } from '../../annotations.ts'
import { AddressPools } from '../../ipam/address-pools.ts'
import { AddressUnavailableError } from '../../ipam/pod-addresses.ts'
import type { IpamClaim } from '../../resources/ipam-claim.ts'
import type { SecondaryNetwork } from '../../secondary/net-conf.ts'
import { type SecondaryPlace, secondaryMac, withLength } from '../../secondary/pod-rows.ts'
import type { SecondaryRequest } from '../../secondary/select.ts'
import { switchNameOf } from '../../secondary/topology.ts'
import { keyOfPod } from '../address-book.ts'
import type { ClusterContext } from '../context.ts'
import { claimOwner, type PersistentAddresses } from './claims.ts'

interface Held extends SecondaryPlace {
  /** Where its addresses come from. */
  readonly pool: string
  /** Whose they are: the pod's, or those of the claim that it refers to. */
  readonly owner: string
  /** Gets the addresses written into it. */
  readonly claim: IpamClaim | undefined
}

/** What a pod has already: its annotation's part, or its port's addresses. */
type Has = Pick<PodNetwork, 'ip_addresses' | 'mac_address'>

/** Who has which address on which secondary network. Giving a place up twice does nothing. */
export class SecondaryPlaces {
  readonly #context: Pick<ClusterContext, 'nodes'>
  readonly #persistent: PersistentAddresses
  readonly #pools = new AddressPools()
  /** Addresses of claims, by owner. */
  readonly #claimed = new Map<string, { pool: string; addresses: readonly string[] }>()
  readonly #places = new Map<string, Map<string, Held>>()

  constructor(context: Pick<ClusterContext, 'nodes'>, persistent: PersistentAddresses) {
    this.#context = context
    this.#persistent = persistent
  }

  /** Takes in networks and nodes' parts as they are now. */
  refresh(networks: readonly SecondaryNetwork[]): void {
    for (const network of networks) {
      const excluded = network.excludeSubnets
      if (network.topology !== 'layer3') {
        const subnets = network.subnets.map(({ cidr }) => cidr)
        this.#setPool(switchNameOf(network, ''), subnets, { of: 'network', excluded })
        this.#reserveClaims(network)
        continue
      }
      for (const node of this.#context.nodes.list()) {
        const subnets = findNodeSubnets(node, network.name)
        if (subnets.length > 0) this.#setPool(switchNameOf(network, node.metadata.name), subnets, { of: 'node' })
      }
    }
  }

  /** Frees what claims had that are gone and no pod uses any more. Returns whether there was anything. */
  dropClaims(): boolean {
    const used = new Set([...this.#places.values()].flatMap((ofPod) => [...ofPod.values()].map(({ owner }) => owner)))
    const claims = this.#persistent.owners()
    const gone = [...this.#claimed].filter(([owner]) => !used.has(owner) && !claims.has(owner))
    for (const [owner, { pool, addresses }] of gone) {
      this.#pools.release(pool, owner, addresses)
      this.#claimed.delete(owner)
    }
    return gone.length > 0
  }

  keys(): Iterable<string> {
    return this.#places.keys()
  }

  /** Of a pod of this `namespace/name`, whatever its UID. */
  of(key: string): SecondaryPlace[] {
    return [...(this.#places.get(key)?.values() ?? [])]
  }

  /** The place that this very pod has, else what it had before, asks for, or the next. Throws AddressUnavailableError. */
  give(pod: PodResource, request: SecondaryRequest, has: Has | undefined): SecondaryPlace {
    const { namespace = 'default', name, uid = '' } = pod.metadata
    const node = pod.spec?.nodeName ?? ''
    const held = this.#places.get(`${namespace}/${name}`)?.get(request.nad)
    if (held?.uid === uid && held.node === node && isAsAsked(held, request.selection)) return held
    const attachment = `${namespace}/${name} (${uid}) on ${request.nad}`
    const claim = has === undefined ? this.#persistent.find(request, namespace) : this.#claimOf(request, namespace)
    const owner = claim === undefined ? attachment : claimOwner(claim)
    const pool = switchNameOf(request.network, node)
    const asked = has?.ip_addresses ?? nonEmpty(claim?.status?.ips) ?? request.selection.ips ?? []
    const addresses = this.#take(request.network, { pool, owner, asked })
    const requested = has?.mac_address ?? request.selection.mac
    const mac = secondaryMac(addresses, { requested, attachment })
    const place: Held = { nad: request.nad, namespace, name, uid, node, addresses, mac, pool, owner, claim }
    // What the pod, or one of its name that is gone, had before is free only now, so that this one does not get it.
    if (held !== undefined) this.release(held)
    this.#put(place)
    return place
  }

  release(place: SecondaryPlace): void {
    const { pool, owner, claim } = place as Held
    if (claim === undefined) this.#pools.release(pool, owner, place.addresses)
    const key = keyOfPod(place)
    const ofPod = this.#places.get(key)
    if (ofPod?.get(place.nad)?.uid === place.uid) ofPod.delete(place.nad)
    if (ofPod?.size === 0) this.#places.delete(key)
    if (claim !== undefined) this.dropClaims()
  }

  /** Writes the place's addresses into its claim, if it has one. */
  record(place: SecondaryPlace): void {
    const { claim, addresses } = place as Held
    if (claim !== undefined) void this.#persistent.record(claim, addresses)
  }

  /** A pod that has its address keeps it, whatever has become of its claim. */
  #claimOf(request: SecondaryRequest, namespace: string): IpamClaim | undefined {
    try {
      return this.#persistent.find(request, namespace)
    } catch (error) {
      if (error instanceof AddressUnavailableError) return undefined
      throw error
    }
  }

  #take(
    { subnets }: SecondaryNetwork,
    { pool, owner, asked }: { pool: string; owner: string; asked: readonly string[] },
  ): string[] {
    if (subnets.length === 0) return asked.map((text) => withLength(text, []))
    return asked.length > 0 ? this.#pools.claim(pool, owner, asked) : this.#pools.allocate(pool, owner)
  }

  /** What claims have is theirs, whether or not a pod uses it. */
  #reserveClaims(network: SecondaryNetwork): void {
    const pool = switchNameOf(network, '')
    for (const claim of this.#persistent.list()) {
      const addresses = claim.status?.ips ?? []
      if (claim.spec?.network !== network.name || addresses.length === 0) continue
      this.#claimed.set(claimOwner(claim), { pool, addresses })
      this.#pools.reclaim(pool, claimOwner(claim), addresses)
    }
  }

  #put(place: Held): void {
    const { claim, owner, pool, addresses } = place
    if (claim !== undefined) this.#claimed.set(owner, { pool, addresses })
    const key = keyOfPod(place)
    const ofPod = this.#places.get(key) ?? new Map<string, Held>()
    ofPod.set(place.nad, place)
    this.#places.set(key, ofPod)
  }

  /** Pods that run keep what they have, also what the changed pool has no longer. */
  #setPool(key: string, subnets: readonly string[], options: Parameters<AddressPools['set']>[2]): void {
    if (!this.#pools.set(key, subnets, options)) return
    for (const ofPod of this.#places.values()) {
      for (const { pool, owner, addresses } of ofPod.values()) {
        if (pool === key) this.#pools.reclaim(key, owner, addresses)
      }
    }
  }
}

function nonEmpty(texts: readonly string[] | undefined): readonly string[] | undefined {
  return texts === undefined || texts.length === 0 ? undefined : texts
}
