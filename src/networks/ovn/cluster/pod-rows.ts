import { cidrOf, type Family, formatCidr, parseInterfaceAddress } from '../../../base/ip.ts'
import { bareAddress, type PodNetwork } from '../annotations.ts'
import { clusterIds } from '../topology/cluster.ts'
import { gatewayRouterId } from '../topology/gateway-facts.ts'
import { namespacePortGroupId } from '../topology/multicast.ts'
import { allOfFamily, familiesOf, idOfFamily, macOf, type NodeSubnet, nodeSubnet, podPort } from '../topology/names.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { type DesiredRow, member, row } from '../topology/rows.ts'

/** A pod's place on the cluster network. */
export interface PodPlace {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly node: string
  /** One a family, IPv4 first, with the length of the node's subnet, e.g. `10.144.0.5/24`. */
  readonly addresses: readonly string[]
  readonly mac: string
}

export const podPortId = (namespace: string, name: string): string => `pod/${namespace}/${name}`
export const podNatId = (namespace: string, name: string, family: Family): string =>
  idOfFamily(`pod/${namespace}/${name}/snat`, family)

/** The pod's logical port, and its source NAT on the node's gateway router where there is one row a pod. */
export function buildPodRows(
  place: PodPlace,
  options: { natAddresses: readonly string[]; hasNamespaceGroup: boolean },
): DesiredRow[] {
  const { namespace, name, uid, node } = place
  const address = [place.mac, ...place.addresses.map(bareAddress)].join(' ')
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
  return [port, ...options.natAddresses.flatMap((natAddress) => natRows(place, natAddress))]
}

/** What the pod's annotation says of this network. Prefixes of cluster and services lead to the node's router. */
export function buildPodNetwork(
  place: PodPlace,
  options: { netCidrs: readonly string[]; svcCidrs: readonly string[]; defaultFamilies: readonly Family[] },
): PodNetwork {
  const routers = place.addresses.map(routerOf)
  const gateways = routers
    .filter(({ family }) => options.defaultFamilies.includes(family))
    .map(({ gateway }) => gateway)
  const prefixes = [...options.netCidrs, ...options.svcCidrs]
  return {
    ip_addresses: place.addresses,
    mac_address: place.mac,
    ...(gateways.length > 0 ? { gateway_ips: gateways } : {}),
    routes: routers.flatMap(({ family, gateway }) =>
      allOfFamily(prefixes, family).map((dest) => ({ dest, nextHop: gateway })),
    ),
    ...(place.addresses.length === 1 ? { ip_address: place.addresses[0] } : {}),
    ...(gateways.length === 1 ? { gateway_ip: gateways[0] } : {}),
    role: 'primary',
  }
}

/** The node's router in the subnet that an address lies in. */
function routerOf(text: string): NodeSubnet {
  const { address, prefixLength } = parseInterfaceAddress(text)
  return nodeSubnet(formatCidr(cidrOf(address, prefixLength)))
}

/** The MAC asked for, else the one that follows from the first address. */
export function macFor([first = '']: readonly string[], requested: string | undefined): string {
  return requested?.toLowerCase() ?? macOf(bareAddress(first))
}

/** From the pod's address of the same family. */
function natRows({ namespace, name, node, addresses }: PodPlace, natAddress: string): DesiredRow[] {
  const [family = 4] = familiesOf([natAddress])
  return allOfFamily(addresses, family).map((address) =>
    row(
      'NAT',
      podNatId(namespace, name, family),
      { type: 'snat', external_ip: natAddress, logical_ip: bareAddress(address), options: { stateless: 'false' } },
      [member('Logical_Router', gatewayRouterId(node), 'nat')],
    ),
  )
}
