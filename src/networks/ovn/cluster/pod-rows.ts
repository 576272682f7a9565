import type { PodNetwork } from '../annotations.ts'
import { clusterIds } from '../topology/cluster.ts'
import { gatewayRouterId } from '../topology/gateway.ts'
import { namespacePortGroupId } from '../topology/multicast.ts'
import { macOf, nodeSubnet, podPort } from '../topology/names.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { type DesiredRow, member, row } from '../topology/rows.ts'

/** A pod's place on the cluster network. */
export interface PodPlace {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly node: string
  /** The node's subnet. */
  readonly subnet: string
  readonly address: string
  readonly mac: string
}

export const podPortId = (namespace: string, name: string): string => `pod/${namespace}/${name}`
export const podNatId = (namespace: string, name: string): string => `pod/${namespace}/${name}/snat`

/** The pod's logical port, and its source NAT on the node's gateway router where there is one row a pod. */
export function buildPodRows(
  place: PodPlace,
  options: { natAddress?: string | undefined; hasNamespaceGroup: boolean },
): DesiredRow[] {
  const { namespace, name, uid, node } = place
  const address = `${place.mac} ${place.address}`
  const port = row(
    'Logical_Switch_Port',
    podPortId(namespace, name),
    {
      name: podPort(namespace, name),
      addresses: [address],
      port_security: [address],
      options: { 'requested-chassis': node, 'iface-id-ver': uid },
      external_ids: { namespace, pod: 'true' },
    },
    [
      member('Logical_Switch', nodeSwitchId(node), 'ports'),
      member('Port_Group', clusterIds.portGroup, 'ports'),
      ...(options.hasNamespaceGroup ? [member('Port_Group', namespacePortGroupId(namespace), 'ports')] : []),
    ],
  )
  return options.natAddress === undefined ? [port] : [port, natRow(place, options.natAddress)]
}

/** What the pod's annotation says of this network. Prefixes of cluster and services lead to the node's router. */
export function buildPodNetwork(
  place: PodPlace,
  options: { netCidrs: readonly string[]; svcCidr: string; ownsDefaultRoute: boolean },
): PodNetwork {
  const { gateway, prefixLength } = nodeSubnet(place.subnet)
  const address = `${place.address}/${prefixLength}`
  return {
    ip_addresses: [address],
    mac_address: place.mac,
    ...(options.ownsDefaultRoute ? { gateway_ips: [gateway] } : {}),
    routes: [...options.netCidrs, options.svcCidr].map((dest) => ({ dest, nextHop: gateway })),
    ip_address: address,
    ...(options.ownsDefaultRoute ? { gateway_ip: gateway } : {}),
    role: 'primary',
  }
}

/** The MAC asked for, else the one that follows from the address. */
export function macFor(address: string, requested: string | undefined): string {
  return requested?.toLowerCase() ?? macOf(address)
}

function natRow({ namespace, name, node, address }: PodPlace, natAddress: string): DesiredRow {
  return row(
    'NAT',
    podNatId(namespace, name),
    { type: 'snat', external_ip: natAddress, logical_ip: address, options: { stateless: 'false' } },
    [member('Logical_Router', gatewayRouterId(node), 'nat')],
  )
}
