import { familyOf, hostPrefixOf, parseCidr, parseInterfaceAddress } from '../../../base/ip.ts'
import type { PodNetwork } from '../annotations.ts'
import { hashedMac, macOf } from '../topology/names.ts'
import { type DesiredRow, member, row } from '../topology/rows.ts'
import { nadIdKey, networkIdKey, secondaryPodPort, topologyIdKey } from './names.ts'
import type { SecondaryNetwork } from './net-conf.ts'
import { gatewayOf, switchIdOf } from './topology.ts'

/** A pod's place on a secondary network. */
export interface SecondaryPlace {
  /** `<namespace>/<name>` of the definition. */
  readonly nad: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly node: string
  /** With the length of their subnet, e.g. `10.1.0.5/24`; empty on a network without addresses. */
  readonly addresses: readonly string[]
  readonly mac: string
}

/** Begins the ids of pods' ports on secondary networks; the pod's `<namespace>/<name>` follows. */
export const secondaryPodScope = 'secondary-pod'

export function secondaryPortId({ nad, namespace, name }: Pick<SecondaryPlace, 'nad' | 'namespace' | 'name'>): string {
  return `${secondaryPodScope}/${namespace}/${name}/${nad}`
}

/** The pod's logical port. Without addresses it may use any, from its own MAC. */
export function buildSecondaryPort(place: SecondaryPlace, network: SecondaryNetwork): DesiredRow {
  const address = [place.mac, ...place.addresses.map((text) => parseInterfaceAddress(text).address)].join(' ')
  return row(
    'Logical_Switch_Port',
    secondaryPortId(place),
    {
      name: secondaryPodPort(place.nad, place.namespace, place.name),
      addresses: [address],
      port_security: [address],
      options: { 'requested-chassis': place.node, 'iface-id-ver': place.uid },
      external_ids: {
        namespace: place.namespace,
        pod: 'true',
        [networkIdKey]: network.name,
        [nadIdKey]: place.nad,
        [topologyIdKey]: network.topology,
      },
    },
    [member('Logical_Switch', switchIdOf(network, place.node), 'ports')],
  )
}

/** What the pod's annotation says of the network: only layer 3 has routes, to the other nodes' parts. */
export function buildSecondaryPodNetwork(
  place: Pick<SecondaryPlace, 'addresses' | 'mac'>,
  { topology, subnets }: SecondaryNetwork,
  gateways: readonly string[] = [],
): PodNetwork {
  const routes = topology === 'layer3' ? routesOf(place.addresses, subnets) : []
  const [address, ...more] = place.addresses
  const [gateway, ...others] = gateways
  return {
    ip_addresses: place.addresses,
    mac_address: place.mac,
    ...(gateway === undefined ? {} : { gateway_ips: gateways }),
    ...(routes.length === 0 ? {} : { routes }),
    ...(address === undefined || more.length > 0 ? {} : { ip_address: address }),
    ...(gateway === undefined || others.length > 0 ? {} : { gateway_ip: gateway }),
    role: 'secondary',
  }
}

function routesOf(
  addresses: readonly string[],
  subnets: SecondaryNetwork['subnets'],
): { dest: string; nextHop: string }[] {
  return addresses.flatMap((text) => {
    const { family } = parseInterfaceAddress(text)
    const nextHop = gatewayOf(text)
    return subnets.filter(({ cidr }) => parseCidr(cidr).family === family).map(({ cidr }) => ({ dest: cidr, nextHop }))
  })
}

/** The MAC asked for, else the one that follows from the first address, else from what names the attachment. */
export function secondaryMac(
  addresses: readonly string[],
  { requested, attachment }: { requested: string | undefined; attachment: string },
): string {
  const [first] = addresses
  if (requested !== undefined) return requested.toLowerCase()
  return first === undefined ? hashedMac(attachment) : macOf(parseInterfaceAddress(first).address)
}

/** An address asked for, with the length of the subnet that it lies in; one that lies in none is alone. */
export function withLength(text: string, subnets: readonly string[]): string {
  if (text.includes('/')) return text
  const subnet = subnets.map((each) => parseCidr(each)).find(({ family }) => family === familyOf(text))
  return subnet === undefined ? hostPrefixOf(text) : `${text}/${subnet.prefixLength}`
}
