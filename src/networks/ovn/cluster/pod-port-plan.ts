import type { Transaction } from '../../../ovsdb/transaction.ts'
import type { NorthboundTables } from '../tables/northbound.ts'
import { namespaceAddressSetId, namespacePortGroupId } from '../topology/multicast.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { type NorthboundView, planRows } from '../topology/plan.ts'
import { buildPodRows, type PodPlace, podNatId, podPortId } from './pod-rows.ts'

type Nb = Transaction<NorthboundTables>

/** Adds to the transaction what the pod's port lacks: the port itself, its groups, its source NAT. */
export function planPort(view: NorthboundView, place: PodPlace, natAddress: string | undefined, transaction: Nb): void {
  const group = view.find({ table: 'Port_Group', id: namespacePortGroupId(place.namespace) })
  const portId = podPortId(place.namespace, place.name)
  leaveOtherSwitches(view, { portId, switchId: nodeSwitchId(place.node) }, transaction)
  planRows(view, buildPodRows(place, { natAddress, hasNamespaceGroup: group !== undefined }), { transaction })
  const set = view.find({ table: 'Address_Set', id: namespaceAddressSetId(place.namespace) })
  if (set === undefined || (set.addresses as readonly string[]).includes(place.address)) return
  transaction.mutate('Address_Set', { _uuid: set._uuid }, { addresses: { insert: [place.address] } })
}

/** Adds to the transaction the removal of whatever a pod of this name has. Port groups drop the port by themselves. */
export function planRemoval(
  view: NorthboundView,
  pod: { namespace: string; name: string; address?: string | undefined },
  transaction: Nb,
): void {
  const port = view.find({ table: 'Logical_Switch_Port', id: podPortId(pod.namespace, pod.name) })
  const nat = view.find({ table: 'NAT', id: podNatId(pod.namespace, pod.name) })
  const set = view.find({ table: 'Address_Set', id: namespaceAddressSetId(pod.namespace) })
  const address = pod.address ?? portAddress(port)
  if (port !== undefined) transaction.mutate('Logical_Switch', {}, { ports: { delete: [port._uuid] } })
  if (nat !== undefined) transaction.mutate('Logical_Router', {}, { nat: { delete: [nat._uuid] } })
  if (set !== undefined && address !== undefined && (set.addresses as readonly string[]).includes(address)) {
    transaction.mutate('Address_Set', { _uuid: set._uuid }, { addresses: { delete: [address] } })
  }
}

/** The address of a logical port of a pod: the second word after its MAC. */
export function portAddress(port: object | undefined): string | undefined {
  return (port as { addresses?: readonly string[] } | undefined)?.addresses?.[0]?.split(' ')[1]
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
