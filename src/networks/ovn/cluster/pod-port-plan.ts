import { familyOf } from '../../../base/ip.ts'
import type { Transaction } from '../../../ovsdb/transaction.ts'
import { bareAddress } from '../annotations.ts'
import type { NorthboundTables } from '../tables/northbound.ts'
import { namespaceAddressSetId, namespacePortGroupId } from '../topology/multicast.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { type NorthboundView, planRows } from '../topology/plan.ts'
import { buildPodRows, type PodPlace, podNatId, podPortId } from './pod-rows.ts'

type Nb = Transaction<NorthboundTables>

/** Adds to the transaction what the pod's port lacks: the port itself, its groups, its source NAT. */
export function planPort(
  view: NorthboundView,
  place: PodPlace,
  natAddresses: readonly string[],
  transaction: Nb,
): void {
  const group = view.find({ table: 'Port_Group', id: namespacePortGroupId(place.namespace) })
  const portId = podPortId(place.namespace, place.name)
  leaveOtherSwitches(view, { portId, switchId: nodeSwitchId(place.node) }, transaction)
  planRows(view, buildPodRows(place, { natAddresses, hasNamespaceGroup: group !== undefined }), { transaction })
  for (const { uuid, member } of membersOf(view, place.namespace, place.addresses.map(bareAddress))) {
    if (!member.isThere) transaction.mutate('Address_Set', { _uuid: uuid }, { addresses: { insert: [member.address] } })
  }
}

/** Adds to the transaction the removal of whatever a pod of this name has. Port groups drop the port by themselves. */
export function planRemoval(
  view: NorthboundView,
  pod: { namespace: string; name: string; addresses?: readonly string[] | undefined },
  transaction: Nb,
): void {
  const port = view.find({ table: 'Logical_Switch_Port', id: podPortId(pod.namespace, pod.name) })
  const addresses = (pod.addresses ?? portAddresses(port)).map(bareAddress)
  if (port !== undefined) transaction.mutate('Logical_Switch', {}, { ports: { delete: [port._uuid] } })
  for (const family of [4, 6] as const) {
    const nat = view.find({ table: 'NAT', id: podNatId(pod.namespace, pod.name, family) })
    if (nat !== undefined) transaction.mutate('Logical_Router', {}, { nat: { delete: [nat._uuid] } })
  }
  for (const { uuid, member } of membersOf(view, pod.namespace, addresses)) {
    if (member.isThere) transaction.mutate('Address_Set', { _uuid: uuid }, { addresses: { delete: [member.address] } })
  }
}

interface Membership {
  readonly uuid: string
  readonly member: { readonly address: string; readonly isThere: boolean }
}

/** The addresses, each with its family's set of the namespace, where there is one. */
function membersOf(view: NorthboundView, namespace: string, addresses: readonly string[]): Membership[] {
  return addresses.flatMap((address) => {
    const set = view.find({ table: 'Address_Set', id: namespaceAddressSetId(namespace, familyOf(address)) })
    if (set === undefined) return []
    return { uuid: set._uuid, member: { address, isThere: (set.addresses as readonly string[]).includes(address) } }
  })
}

/** The addresses of a logical port of a pod: what follows its MAC. */
export function portAddresses(port: object | undefined): string[] {
  return (port as { addresses?: readonly string[] } | undefined)?.addresses?.[0]?.split(' ').slice(1) ?? []
}

/** A pod of the same name may have been on another node. */
export function leaveOtherSwitches(
  view: NorthboundView,
  { portId, switchId }: { portId: string; switchId: string },
  transaction: Nb,
): void {
  const port = view.find({ table: 'Logical_Switch_Port', id: portId })
  const own = view.find({ table: 'Logical_Switch', id: switchId })
  if (port === undefined || (own?.ports as readonly string[] | undefined)?.includes(port._uuid) === true) return
  transaction.mutate('Logical_Switch', {}, { ports: { delete: [port._uuid] } })
}
