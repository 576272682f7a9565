import { describeError } from '../../../base/errors.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import { findPodNetwork, type PodNetwork } from '../annotations.ts'
import { AddressUnavailableError } from '../ipam/pod-addresses.ts'
import { podPort } from '../topology/names.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { AddressBook, keyOfPod, type PodIdentity } from './address-book.ts'
import type { ClusterContext } from './context.ts'
import { portAddress } from './pod-port-plan.ts'
import { buildPodNetwork, macFor, type PodPlace } from './pod-rows.ts'
import { type PodAnswer, selectPod } from './select-pods.ts'

/** A pod that shall have a port, and what its annotation shall say. */
export interface Wanted {
  readonly pod: PodResource
  readonly place: PodPlace
  /** Undefined: the annotation stays as it is. */
  readonly network: PodNetwork | undefined
}

const networkKey = 'default'

/** Decides which pods get which address. Refusals become one Warning event for each pod and reason. */
export class PodPlaces {
  readonly #context: ClusterContext
  readonly #book = new AddressBook()
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
    for (const { name, subnet } of this.#context.nodeFacts()) this.#book.setSubnet(name, subnet)
  }

  keys(): Iterable<string> {
    return this.#book.keys()
  }

  /** Pods that were refused and may have better luck after a release. */
  refused(): Iterable<string> {
    return this.#refusals.keys()
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
    if (pod === undefined || node === undefined || !this.#isNodeReady(node)) return undefined
    if (answer.wants === 'unknown') return this.#keep(pod, node)
    return answer.wants === 'port' ? this.#give(pod, node, answer) : undefined
  }

  /** What the pod has, for as long as nobody can tell whether it still asks for it. */
  #keep(pod: PodResource, node: string): Wanted | undefined {
    const place = this.#placeBefore(pod, node)
    return place === undefined ? undefined : { pod, place, network: undefined }
  }

  #give(pod: PodResource, node: string, answer: Extract<PodAnswer, { wants: 'port' }>): Wanted | undefined {
    try {
      const place = this.#placeOf(pod, node, answer.selection)
      this.#refusals.delete(podKey(pod))
      return { pod, place, network: this.#networkOf(pod, place, answer.hasOtherDefaultRoute) }
    } catch (error) {
      if (!(error instanceof AddressUnavailableError)) throw error
      this.#refuse(pod, describeError(error))
      return undefined
    }
  }

  /** The address that the pod has, else the one it asks for, else the next. Throws AddressUnavailableError. */
  #placeOf(
    pod: PodResource,
    node: string,
    asked: { ips?: readonly string[] | undefined; mac?: string | undefined },
  ): PodPlace {
    const own = this.#placeBefore(pod, node)
    if (own !== undefined) return own
    const before = this.#book.find(podKey(pod))
    const place = this.#newPlace(pod, node, asked)
    // A pod of the same name that is gone: its address is free only now, so that this pod does not get it at once.
    if (before !== undefined) this.#book.release(before)
    return place
  }

  /** The place of this very pod, not of an earlier one of its name. */
  #placeBefore(pod: PodResource, node: string): PodPlace | undefined {
    const before = this.#book.find(podKey(pod))
    return before?.uid === pod.metadata.uid && before?.node === node ? before : undefined
  }

  #newPlace(
    pod: PodResource,
    node: string,
    asked: { ips?: readonly string[] | undefined; mac?: string | undefined },
  ): PodPlace {
    const annotated = findPodNetwork(pod, networkKey)
    const [address] = asked.ips ?? []
    if (annotated?.ip_addresses[0] !== undefined) {
      const taken = { address: annotated.ip_addresses[0], mac: annotated.mac_address }
      return this.#book.claim(identityOf(pod), node, taken)
    }
    if (address === undefined) return this.#book.allocate(identityOf(pod), node, (given) => macFor(given, asked.mac))
    return this.#book.claim(identityOf(pod), node, { address, mac: macFor(bare(address), asked.mac) })
  }

  /** An annotation that is written already stays as it is: the pod may be running with it. */
  #networkOf(pod: PodResource, place: PodPlace, hasOtherDefaultRoute: boolean): PodNetwork {
    const written = findPodNetwork(pod, networkKey)
    if (written !== undefined) return written
    const { netCidrs, svcCidr } = this.#context.settings
    return buildPodNetwork(place, { netCidrs, svcCidr, ownsDefaultRoute: !hasOtherDefaultRoute })
  }

  /**
   * The address of the annotation, else of a logical port that was written just before a crash. A pod of which nobody
   * can tell what it asks for must have its port still: an annotation alone may be left over from a place given up.
   */
  #adopt(pod: PodResource): void {
    const node = pod.spec?.nodeName
    const { wants } = this.#select(pod)
    if (node === undefined || !this.#book.hasSubnet(node) || wants === 'nothing') return
    const identity = identityOf(pod)
    if (this.#book.find(keyOfPod(identity)) !== undefined) return
    const port = this.#context.northbound.view.byName('Logical_Switch_Port', podPort(identity.namespace, identity.name))
    const annotated = findPodNetwork(pod, networkKey)
    const written = port?.options['iface-id-ver'] === identity.uid ? portAddress(port) : undefined
    if (wants === 'unknown' && written === undefined) return
    const address = annotated?.ip_addresses[0] ?? written
    if (address === undefined) return
    const mac = annotated?.mac_address ?? port?.addresses[0]?.split(' ')[0] ?? ''
    try {
      this.#book.claim(identity, node, { address, mac })
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

  #isNodeReady(node: string): boolean {
    const { view } = this.#context.northbound
    return this.#book.hasSubnet(node) && view.find({ table: 'Logical_Switch', id: nodeSwitchId(node) }) !== undefined
  }
}

/** `namespace/name` */
export function podKey(pod: PodResource): string {
  return keyOfPod(identityOf(pod))
}

function identityOf(pod: PodResource): PodIdentity {
  const { namespace = 'default', name, uid = '' } = pod.metadata
  return { namespace, name, uid }
}

function bare(address: string): string {
  return address.split('/')[0] ?? address
}
