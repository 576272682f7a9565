import { describeError } from '../../../../base/errors.ts'
import type { PodResource } from '../../../../kube/resources/core.ts'
import type { Row, RowIndex } from '../../../../ovsdb/cache.ts'
import type { Transaction } from '../../../../ovsdb/transaction.ts'
import { findPodNetwork, isAsAsked, type PodNetwork, parsePodNetworks } from '../../annotations.ts'
import { AddressUnavailableError } from '../../ipam/pod-addresses.ts'
import { nadIdKey, networkIdKey } from '../../secondary/names.ts'
import type { SecondaryNetwork } from '../../secondary/net-conf.ts'
import {
  buildSecondaryPodNetwork,
  buildSecondaryPort,
  type SecondaryPlace,
  secondaryPodScope,
  secondaryPortId,
} from '../../secondary/pod-rows.ts'
import { asksForNothing, type SecondaryAnswer, type SecondaryRequest, selectSecondary } from '../../secondary/select.ts'
import { switchIdOf } from '../../secondary/topology.ts'
import type { LogicalSwitchPort, NorthboundTables } from '../../tables/northbound.ts'
import { planRows } from '../../topology/plan.ts'
import { idKey } from '../../topology/rows.ts'
import type { ClusterContext } from '../context.ts'
import { isSecondaryInUse } from '../place-use.ts'
import { podKey } from '../pod-places.ts'
import { nothingToSettle, type PodPlan, type PodPlanner } from '../pod-planner.ts'
import { leaveOtherSwitches } from '../pod-port-plan.ts'
import { isLive, selectionsOf } from '../select-pods.ts'
import type { PersistentAddresses } from './claims.ts'
import type { SecondaryNetworks } from './networks.ts'
import { SecondaryPlaces } from './places.ts'

type Nb = Transaction<NorthboundTables>

/** Logical ports and addresses of the pods that ask for secondary networks; a pod may have several. */
export class SecondaryPods implements PodPlanner {
  readonly #context: ClusterContext
  readonly #networks: SecondaryNetworks
  readonly #places: SecondaryPlaces
  readonly #ports: RowIndex<LogicalSwitchPort>
  readonly #refusals = new Map<string, string>()
  readonly #held = new Set<string>()
  readonly #onLeft: () => void

  /** `onLeft` is called when a pod has left a network, whose rows may have to go. */
  constructor(
    context: ClusterContext,
    {
      networks,
      persistent,
      onLeft,
    }: { networks: SecondaryNetworks; persistent: PersistentAddresses; onLeft: () => void },
  ) {
    this.#context = context
    this.#networks = networks
    this.#places = new SecondaryPlaces(context, persistent)
    this.#onLeft = onLeft
    this.#ports = context.northbound.client.table('Logical_Switch_Port').indexBy(podKeyOfPort)
  }

  adoptAll(): void {
    this.refresh()
  }

  /**
   * What pods have is theirs before anything new is given out, also of a network whose definition has just come back.
   * First pods whose annotation names an address, they may be running; then ports that were written before a crash, or
   * of pods that do not ask any more and may have the interface still.
   */
  refresh(): void {
    this.#places.refresh([...this.#networks.current.networks.values()])
    const pods = this.#context.pods.list()
    for (const pod of this.#networks.current.byNad.size === 0 ? [] : pods) {
      for (const request of this.#select(pod).requests) this.#adopt(pod, request, findPodNetwork(pod, request.nad))
    }
    for (const pod of pods) for (const port of this.#portsOf(pod)) this.#adoptPort(pod, port)
  }

  *keys(): Iterable<string> {
    yield* this.#places.keys()
    for (const port of this.#context.northbound.view.ofScope('Logical_Switch_Port', secondaryPodScope)) {
      const key = podKeyOfPort(port as unknown as LogicalSwitchPort)
      if (key !== undefined) yield key
    }
  }

  /** After a change of a claim: pods that were refused and may have better luck now. */
  claimsChanged(): Iterable<string> {
    this.#places.refresh([...this.#networks.current.networks.values()])
    this.#places.dropClaims()
    return this.#refusals.keys()
  }

  held(): Iterable<string> {
    return this.#held
  }

  plan(key: string, pod: PodResource | undefined, transaction: Nb): PodPlan {
    this.#held.delete(key)
    if (this.#hasNothing(key)) return { networks: {}, settle: nothingToSettle }
    const answer = pod === undefined ? asksForNothing : this.#select(pod)
    const before = this.#places.of(key)
    const work: Work = { networks: {}, kept: new Set(), leaving: new Set(), refusals: [] }
    if (answer.reason !== undefined) work.refusals.push(answer.reason)
    if (pod !== undefined) {
      this.#keep(pod, answer, { before, work })
      for (const request of answer.requests) this.#give(pod, request, { work, transaction })
    }
    const left = this.#planRemovals(key, work.kept, transaction)
    const gone = before.filter((place) => !work.kept.has(secondaryPortId(place)))
    this.#report(key, pod, work.refusals)
    return { networks: work.networks, settle: () => this.#settle(gone, left) }
  }

  /** No network, and nothing of one: the pods of most clusters need not be looked at. */
  #hasNothing(key: string): boolean {
    const hasNetworks = this.#networks.current.byNad.size > 0
    return !hasNetworks && this.#places.of(key).length === 0 && this.#ports.get(key).length === 0
  }

  /**
   * What the pod has and keeps: what it asks for, what nobody can tell of, and what it asks for no longer or otherwise
   * while it has the interface. That goes in this order: interface, annotation, address.
   */
  #keep(pod: PodResource, answer: SecondaryAnswer, { before, work }: { before: SecondaryPlace[]; work: Work }): void {
    const own = before.filter((place) => isOfPod(place, pod))
    for (const place of own) {
      const request = answer.requests.find(({ nad }) => nad === place.nad)
      const isWanted = request === undefined ? answer.keeps(place.nad) : isAsAsked(place, request.selection)
      if (!isWanted && !this.#isLeaving(pod, place, work)) continue
      work.kept.add(secondaryPortId(place))
      if (!isWanted) work.leaving.add(place.nad)
    }
    const placed = new Set(own.map(({ nad }) => nad))
    for (const { external_ids: ids } of this.#portsOf(pod)) {
      const nad = ids[nadIdKey] ?? ''
      if (!placed.has(nad) && answer.keeps(nad)) work.kept.add(ids[idKey] ?? '')
    }
    for (const nad of Object.keys(parsePodNetworks(pod))) {
      if (nad !== 'default' && !placed.has(nad) && !answer.keeps(nad)) work.networks[nad] = 'none'
    }
  }

  /** Whether it must wait for the interface, or for the annotation, to go. */
  #isLeaving(pod: PodResource, place: SecondaryPlace, work: Work): boolean {
    const port = this.#portsOf(pod).find(({ external_ids: ids }) => ids[nadIdKey] === place.nad)
    if (isSecondaryInUse(pod, place, port)) {
      this.#held.add(podKey(pod))
      return true
    }
    if (findPodNetwork(pod, place.nad) === undefined) return false
    work.networks[place.nad] = 'none'
    return true
  }

  #settle(gone: readonly SecondaryPlace[], left: number): Iterable<string> {
    for (const place of gone) this.#places.release(place)
    if (left > 0) this.#onLeft()
    return gone.length > 0 ? [...this.#refusals.keys()] : []
  }

  #select(pod: PodResource): SecondaryAnswer {
    if (!isLive(pod) || pod.spec?.hostNetwork === true || pod.spec?.nodeName === undefined) return asksForNothing
    return selectSecondary(selectionsOf(pod), this.#networks.current)
  }

  /** Nothing happens while the network's switch is not there yet. */
  #give(pod: PodResource, request: SecondaryRequest, { work, transaction }: { work: Work; transaction: Nb }): void {
    const { nad, network, selection } = request
    const { view } = this.#context.northbound
    const switchId = switchIdOf(network, pod.spec?.nodeName ?? '')
    if (work.leaving.has(nad) || view.find({ table: 'Logical_Switch', id: switchId }) === undefined) return
    try {
      const written = findPodNetwork(pod, nad)
      const place = this.#places.give(pod, request, written)
      this.#planPort(place, network, transaction)
      this.#places.record(place)
      work.kept.add(secondaryPortId(place))
      // An annotation that is written already stays as it is: the pod may be running with it.
      work.networks[nad] = written ?? buildSecondaryPodNetwork(place, network, selection.defaultRoute)
    } catch (error) {
      if (!(error instanceof AddressUnavailableError)) throw error
      work.refusals.push(`${nad}: ${describeError(error)}`)
    }
  }

  #planPort(place: SecondaryPlace, network: SecondaryNetwork, transaction: Nb): void {
    const { view } = this.#context.northbound
    const switchId = switchIdOf(network, place.node)
    leaveOtherSwitches(view, { portId: secondaryPortId(place), switchId }, transaction)
    planRows(view, [buildSecondaryPort(place, network)], { transaction })
  }

  /** Removes the pod's ports that are not kept; returns how many. */
  #planRemovals(key: string, kept: ReadonlySet<string>, transaction: Nb): number {
    const ports = this.#ports.get(key).filter(({ external_ids: ids }) => !kept.has(ids[idKey] ?? ''))
    if (ports.length === 0) return 0
    transaction.mutate('Logical_Switch', {}, { ports: { delete: ports.map(({ _uuid }) => _uuid) } })
    return ports.length
  }

  /** Of this very pod, not of an earlier one of its name. */
  #portsOf(pod: PodResource): readonly Row<LogicalSwitchPort>[] {
    return this.#ports.get(podKey(pod)).filter(({ options }) => options['iface-id-ver'] === pod.metadata.uid)
  }

  #adoptPort(pod: PodResource, { addresses, external_ids: ids }: Row<LogicalSwitchPort>): void {
    const nad = ids[nadIdKey] ?? ''
    const network = this.#networks.current.byNad.get(nad) ?? this.#networks.find(ids[networkIdKey] ?? '')
    if (network === undefined || pod.spec?.nodeName === undefined) return
    const [mac = '', ...own] = addresses[0]?.split(' ') ?? []
    const [namespace = '', name = ''] = nad.split('/')
    this.#adopt(pod, { nad, network, selection: { name, namespace } }, { mac_address: mac, ip_addresses: own })
  }

  #adopt(
    pod: PodResource,
    request: SecondaryRequest,
    has: Pick<PodNetwork, 'ip_addresses' | 'mac_address'> | undefined,
  ): void {
    if (has === undefined) return
    try {
      this.#places.give(pod, request, has)
    } catch (error) {
      if (!(error instanceof AddressUnavailableError)) throw error
    }
  }

  /** One Warning event for each pod and reason. */
  #report(key: string, pod: PodResource | undefined, refusals: readonly string[]): void {
    const text = refusals.join('; ')
    if (pod === undefined || text === '') {
      this.#refusals.delete(key)
      return
    }
    if (this.#refusals.get(key) === text) return
    this.#refusals.set(key, text)
    this.#context.events.event(pod, 'Warning', 'OvnAddressRefused', text)
  }
}

/** What one round finds out about a pod. */
interface Work {
  readonly networks: Record<string, PodNetwork | 'none'>
  /** Ids of ports that stay. */
  readonly kept: Set<string>
  /** Definitions whose place must go before another is given. */
  readonly leaving: Set<string>
  readonly refusals: string[]
}

function isOfPod(place: SecondaryPlace, pod: PodResource | undefined): boolean {
  return pod !== undefined && place.uid === (pod.metadata.uid ?? '') && place.node === pod.spec?.nodeName
}

function podKeyOfPort({ external_ids: ids }: Pick<LogicalSwitchPort, 'external_ids'>): string | undefined {
  const [scope, namespace, name] = (ids[idKey] ?? '').split('/')
  return scope === secondaryPodScope ? `${namespace}/${name}` : undefined
}
