import type { PodResource } from '../../../../kube/resources/core.ts'
import { findNodeSubnets, isAsAsked, type PodNetwork } from '../../annotations.ts'
import type { SecondaryNetwork } from '../../secondary/net-conf.ts'
import { type SecondaryPlace, secondaryMac, withLength } from '../../secondary/pod-rows.ts'
import { SecondaryPools } from '../../secondary/pools.ts'
import type { SecondaryRequest } from '../../secondary/select.ts'
import { switchNameOf } from '../../secondary/topology.ts'
import { keyOfPod } from '../address-book.ts'
import type { ClusterContext } from '../context.ts'

interface Held extends SecondaryPlace {
  /** Where its addresses come from. */
  readonly pool: string
  /** Whose they are; not always the pod's own. */
  readonly owner: string
}

/** What a pod has already: its annotation's part, or its port's addresses. */
type Has = Pick<PodNetwork, 'ip_addresses' | 'mac_address'>

/** Who has which address on which secondary network. Giving a place up twice does nothing. */
export class SecondaryPlaces {
  readonly #context: Pick<ClusterContext, 'nodes'>
  readonly #pools = new SecondaryPools()
  readonly #places = new Map<string, Map<string, Held>>()

  constructor(context: Pick<ClusterContext, 'nodes'>) {
    this.#context = context
  }

  /** Takes in networks and nodes' parts as they are now. */
  refresh(networks: readonly SecondaryNetwork[]): void {
    for (const network of networks) {
      const excluded = network.excludeSubnets
      if (network.topology !== 'layer3') {
        const subnets = network.subnets.map(({ cidr }) => cidr)
        this.#setPool(switchNameOf(network, ''), subnets, { of: 'network', excluded })
        continue
      }
      for (const node of this.#context.nodes.list()) {
        const subnets = findNodeSubnets(node, network.name)
        if (subnets.length > 0) this.#setPool(switchNameOf(network, node.metadata.name), subnets, { of: 'node' })
      }
    }
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
    const owner = `${namespace}/${name} (${uid}) on ${request.nad}`
    const pool = switchNameOf(request.network, node)
    const addresses = this.#addresses(pool, owner, { request, has })
    const requested = has?.mac_address ?? request.selection.mac
    const mac = secondaryMac(addresses, { requested, attachment: owner })
    const place: Held = { nad: request.nad, namespace, name, uid, node, addresses, mac, pool, owner }
    // What the pod, or one of its name that is gone, had before is free only now, so that this one does not get it.
    if (held !== undefined) this.release(held)
    this.#put(place)
    return place
  }

  release(place: SecondaryPlace): void {
    const { pool, owner } = place as Held
    this.#pools.release(pool, owner, place.addresses)
    const key = keyOfPod(place)
    const ofPod = this.#places.get(key)
    if (ofPod?.get(place.nad)?.uid === place.uid) ofPod.delete(place.nad)
    if (ofPod?.size === 0) this.#places.delete(key)
  }

  #addresses(
    pool: string,
    owner: string,
    { request, has }: { request: SecondaryRequest; has: Has | undefined },
  ): string[] {
    const { subnets } = request.network
    const asked = has?.ip_addresses ?? request.selection.ips ?? []
    if (subnets.length === 0) return asked.map((text) => withLength(text, []))
    return asked.length > 0 ? this.#pools.claim(pool, owner, asked) : this.#pools.allocate(pool, owner)
  }

  #put(place: Held): void {
    const key = keyOfPod(place)
    const ofPod = this.#places.get(key) ?? new Map<string, Held>()
    ofPod.set(place.nad, place)
    this.#places.set(key, ofPod)
  }

  /** Pods that run keep what they have, also what the changed pool has no longer. */
  #setPool(key: string, subnets: readonly string[], options: Parameters<SecondaryPools['set']>[2]): void {
    if (!this.#pools.set(key, subnets, options)) return
    for (const ofPod of this.#places.values()) {
      for (const { pool, owner, addresses } of ofPod.values()) {
        if (pool === key) this.#pools.reclaim(key, owner, addresses)
      }
    }
  }
}
