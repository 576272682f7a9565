import { describeError } from '../../../base/errors.ts'
import type { Family } from '../../../base/ip.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { Row } from '../../../ovsdb/cache.ts'
import { findPodNetwork, isAsAsked, type PodNetwork } from '../annotations.ts'
import { AddressUnavailableError } from '../ipam/pod-addresses.ts'
import type { LogicalSwitchPort } from '../tables/northbound.ts'
import { allOfFamily, podPort } from '../topology/names.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { AddressBook, keyOfPod, type PodIdentity } from './address-book.ts'
import type { ClusterContext } from './context.ts'
import { isInUse } from './place-use.ts'
import { portAddresses } from './pod-port-plan.ts'
import { buildPodNetwork, macFor, type PodPlace } from './pod-rows.ts'
import { type PodAnswer, selectPod } from './select-pods.ts'

/** What a pod shall have of us. */
export interface Wanted {
  readonly pod: PodResource
  /** Undefined: no port. */
  readonly place: PodPlace | undefined
  /** What the annotation shall say; `none`: nothing. Undefined: it stays as it is. */
  readonly network: PodNetwork | 'none' | undefined
}

/** What a pod may ask of its address. */
interface Asked {
  readonly ips?: readonly string[] | undefined
  readonly mac?: string | undefined
}

/** Name of the cluster network in the annotation. */
export const networkKey = 'default'

/**
 * Decides which pods get which address. Refusals become one Warning event for each pod and reason. What a running pod
 * no longer asks for, or asks for otherwise, stays its own until it has lost the interface, and goes in this order:
 * interface, annotation, address. So no pod that asks again finds an address in its annotation that is another's.
 */
export class PodPlaces {
  readonly #context: ClusterContext
  readonly #book = new AddressBook()
  readonly #held = new Set<string>()
  readonly #refusals = new Map<string, string>()

  constructor(context: ClusterContext) {
    this.#context = context
  }

  /** At the start: what pods have stays theirs. First those whose annotation says so, they may be running. */
  adoptAll(): void {
    this.takeSubnets()
    const pods = [...this.#context.pods.list()]
    for (const pod of pods.filter((each) => findPodNetwork(each, networkKey) !== undefined)) this.#adopt(pod)
    for (const pod of pods) this.#adopt(pod)
  }

  takeSubnets(): void {
    for (const { name, subnets } of this.#context.nodeFacts()) this.#book.setSubnets(name, subnets)
  }

  keys(): Iterable<string> {
    return this.#book.keys()
  }

  /** Pods that were refused and may have better luck after a release. */
  refused(): Iterable<string> {
    return this.#refusals.keys()
  }

  /** Pods that are not to lose what they have before they have lost the interface. */
  held(): Iterable<string> {
    return this.#held
  }

  find(key: string): PodPlace | undefined {
    return this.#book.find(key)
  }

  release(place: PodPlace): void {
    this.#book.release(place)
  }

  /** Undefined for a pod that is gone, asks for nothing, cannot get it, or whose node is not ready for it. */
  want(key: string, pod: PodResource | undefined): Wanted | undefined {
    const answer: PodAnswer = pod === undefined ? { wants: 'nothing' } : this.#select(pod)
    const reason = answer.wants === 'unknown' ? answer.reason : undefined
    if (pod !== undefined && reason !== undefined) this.#refuse(pod, reason)
    else if (answer.wants !== 'port') this.#refusals.delete(key)
    const node = pod?.spec?.nodeName
    this.#held.delete(key)
    if (pod === undefined || node === undefined || !this.#isNodeReady(node)) return undefined
    return this.#leave(pod, node, answer) ?? (answer.wants === 'port' ? this.#give(pod, node, answer) : undefined)
  }

  /** What the pod has and, for all that can be told, asks for no longer. Undefined when there is no such thing. */
  #leave(pod: PodResource, node: string, answer: PodAnswer): Wanted | undefined {
    const place = this.#placeBefore(pod, node)
    if (place === undefined) return answer.wants === 'nothing' ? this.#forget(pod, place) : undefined
    if (answer.wants === 'unknown') return { pod, place, network: undefined }
    if (answer.wants === 'port' && isAsAsked(shown(place), answer.selection)) return undefined
    if (!isInUse(pod, place, this.#portOf(place))) return this.#forget(pod, place)
    this.#held.add(podKey(pod))
    return { pod, place, network: undefined }
  }

  /** The annotation goes before the address does. */
  #forget(pod: PodResource, place: PodPlace | undefined): Wanted | undefined {
    return findPodNetwork(pod, networkKey) === undefined ? undefined : { pod, place, network: 'none' }
  }

  #give(pod: PodResource, node: string, answer: Extract<PodAnswer, { wants: 'port' }>): Wanted | undefined {
    try {
      const place = this.#placeOf(pod, node, answer.selection)
      this.#refusals.delete(podKey(pod))
      return { pod, place, network: this.#networkOf(pod, place, answer.defaultFamilies) }
    } catch (error) {
      if (!(error instanceof AddressUnavailableError)) throw error
      this.#refuse(pod, describeError(error))
      return undefined
    }
  }

  /** The addresses that the pod has, else those it asks for, else the next. Throws AddressUnavailableError. */
  #placeOf(pod: PodResource, node: string, asked: Asked): PodPlace {
    const own = this.#placeBefore(pod, node)
    if (own !== undefined && isAsAsked(shown(own), asked)) return own
    const before = this.#book.find(podKey(pod))
    const place = this.#newPlace(pod, node, asked)
    // What the pod, or one of its name that is gone, had before is free only now, so that this one does not get it at once.
    if (before !== undefined) this.#book.release(before)
    return place
  }

  /** The place of this very pod, not of an earlier one of its name. */
  #placeBefore(pod: PodResource, node: string): PodPlace | undefined {
    const before = this.#book.find(podKey(pod))
    return before?.uid === pod.metadata.uid && before?.node === node ? before : undefined
  }

  #newPlace(pod: PodResource, node: string, asked: Asked): PodPlace {
    const annotated = findPodNetwork(pod, networkKey)
    if (annotated !== undefined) {
      const taken = { addresses: annotated.ip_addresses, mac: annotated.mac_address }
      return this.#book.claim(identityOf(pod), node, taken)
    }
    const addresses = ipv4First(asked.ips ?? [])
    if (addresses.length > 0) {
      return this.#book.claim(identityOf(pod), node, { addresses, mac: macFor(addresses, asked.mac) })
    }
    return this.#book.allocate(identityOf(pod), node, (given) => macFor(given, asked.mac))
  }

  /** An annotation that is written already stays as it is: the pod may be running with it. */
  #networkOf(pod: PodResource, place: PodPlace, defaultFamilies: readonly Family[]): PodNetwork {
    const written = findPodNetwork(pod, networkKey)
    if (written !== undefined) return written
    return buildPodNetwork(place, { ...this.#context.settings, defaultFamilies })
  }

  /**
   * The addresses of the annotation, else of a logical port that was written just before a crash. A pod that asks for
   * nothing, or nobody can tell for what, must have its port still: an annotation alone may be left over from a place
   * given up.
   */
  #adopt(pod: PodResource): void {
    const node = pod.spec?.nodeName
    const { wants } = this.#select(pod)
    if (node === undefined || !this.#book.hasSubnet(node)) return
    const identity = identityOf(pod)
    if (this.#book.find(keyOfPod(identity)) !== undefined) return
    const port = this.#portOf(identity)
    const annotated = findPodNetwork(pod, networkKey)
    const written = port?.options['iface-id-ver'] === identity.uid ? portAddresses(port) : []
    if (wants !== 'port' && written.length === 0) return
    const addresses = annotated?.ip_addresses ?? written
    if (addresses.length === 0) return
    const mac = annotated?.mac_address ?? port?.addresses[0]?.split(' ')[0] ?? ''
    try {
      this.#book.claim(identity, node, { addresses, mac })
    } catch (error) {
      this.#refuse(pod, describeError(error))
    }
  }

  #select(pod: PodResource): ReturnType<typeof selectPod> {
    return selectPod(pod, (name, namespace) => this.#context.nads.get(name, namespace))
  }

  #refuse(pod: PodResource, reason: string): void {
    const key = podKey(pod)
    if (this.#refusals.get(key) === reason) return
    this.#refusals.set(key, reason)
    this.#context.events.event(pod, 'Warning', 'OvnAddressRefused', reason)
  }

  #portOf({ namespace, name }: Pick<PodIdentity, 'namespace' | 'name'>): Row<LogicalSwitchPort> | undefined {
    return this.#context.northbound.view.byName('Logical_Switch_Port', podPort(namespace, name))
  }

  #isNodeReady(node: string): boolean {
    const { view } = this.#context.northbound
    return this.#book.hasSubnet(node) && view.find({ table: 'Logical_Switch', id: nodeSwitchId(node) }) !== undefined
  }
}

/** `namespace/name` */
export function podKey(pod: PodResource): string {
  return keyOfPod(identityOf(pod))
}

function shown({ addresses, mac }: PodPlace): { addresses: readonly string[]; mac: string } {
  return { addresses, mac }
}

function ipv4First(addresses: readonly string[]): string[] {
  return [...allOfFamily(addresses, 4), ...allOfFamily(addresses, 6)]
}

function identityOf(pod: PodResource): PodIdentity {
  const { namespace = 'default', name, uid = '' } = pod.metadata
  return { namespace, name, uid }
}
