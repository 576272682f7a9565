import type { Family } from '../../../base/ip.ts'
import { clusterIds } from './cluster.ts'
import { allOfFamily, clusterPortGroup, clusterRouterPortGroup, familiesOf, hashedName, idOfFamily } from './names.ts'
import { type DesiredRow, member, row } from './rows.ts'

/** On a namespace: `"true"` lets its pods send multicast to each other. */
export const multicastAnnotation = 'k8s.ovn.org/multicast-enabled'

/** A namespace whose pods may use multicast among themselves. */
export interface MulticastNamespace {
  readonly name: string
  /** UUIDs of its pods' logical ports. */
  readonly ports: readonly string[]
  readonly addresses: readonly string[]
}

/** Of IPv6 only groups that are not well-known (RFC 4291, 2.7): neighbour discovery and the like go on. */
const transientIpv6 = '(ip6.dst[120..127] == 0xff && ip6.dst[116] == 1)'
const multicastOf: Readonly<Record<Family, string>> = { 4: 'ip4.mcast', 6: `mldv1 || mldv2 || ${transientIpv6}` }
const anyMulticast = `(${multicastOf[4]} || ${multicastOf[6]})`
const controller = 'default-network-controller'

export const namespacePortGroupId = (namespace: string): string => `topology/port-group/namespace/${namespace}`
export const namespaceAddressSetId = (namespace: string, family: Family): string =>
  idOfFamily(`topology/address-set/namespace/${namespace}`, family)

/** Multicast is dropped between pods unless their namespace asks for it; routers pass it. */
export function buildMulticastRows(
  namespaces: readonly MulticastNamespace[],
  { netCidrs }: { readonly netCidrs: readonly string[] },
): DesiredRow[] {
  const families = familiesOf(netCidrs)
  return [
    ...bothWays('pods', clusterIds.portGroup, (side) => ({
      priority: 1011,
      action: 'drop',
      match: `${side} == @${clusterPortGroup} && ${anyMulticast}`,
    })),
    ...bothWays('routers', clusterIds.routerPortGroup, (side) => ({
      priority: 1012,
      action: 'allow',
      match: `${side} == @${clusterRouterPortGroup} && ${anyMulticast}`,
    })),
    ...namespaces.flatMap((namespace) => namespaceRows(namespace, families)),
  ]
}

function namespaceRows({ name, ports, addresses }: MulticastNamespace, families: readonly Family[]): DesiredRow[] {
  const primaryId = `${controller}:Namespace:${name}`
  const group = hashedName(primaryId)
  const setId = (family: Family): string => `${primaryId}:v${family}`
  const both = (match: (family: Family) => string): string => families.map(match).join(' || ')
  const ids = {
    'k8s.ovn.org/name': name,
    'k8s.ovn.org/owner-controller': controller,
    'k8s.ovn.org/owner-type': 'Namespace',
  }
  return [
    row('Port_Group', namespacePortGroupId(name), {
      name: group,
      ports,
      external_ids: { ...ids, 'k8s.ovn.org/id': primaryId },
    }),
    ...families.map((family) =>
      row('Address_Set', namespaceAddressSetId(name, family), {
        name: hashedName(setId(family)),
        addresses: allOfFamily(addresses, family),
        external_ids: { ...ids, 'k8s.ovn.org/id': setId(family) },
      }),
    ),
    ...bothWays(`namespace/${name}`, namespacePortGroupId(name), (side) => ({
      priority: 1012,
      action: 'allow',
      match:
        side === 'inport'
          ? `inport == @${group} && (${both((family) => multicastOf[family])})`
          : `outport == @${group} && (${both((family) => receivedOf(family, hashedName(setId(family))))})`,
    })),
  ]
}

/** What a member hears: the queries of its querier, and groups that members of the address set send to. */
function receivedOf(family: Family, set: string): string {
  return family === 4
    ? `igmp || (ip4.src == $${set} && ip4.mcast)`
    : `mldv1 || mldv2 || (ip6.src == $${set} && ${transientIpv6})`
}

type Rule = Pick<NonNullable<DesiredRow<'ACL'>['columns']>, 'priority' | 'action' | 'match'>

/** The egress side is checked after the load balancers, as upstream does. */
function bothWays(what: string, groupId: string, rule: (side: 'inport' | 'outport') => Rule): DesiredRow[] {
  const group = [member('Port_Group', groupId, 'acls')]
  return [
    row(
      'ACL',
      `topology/acl/multicast/${what}/egress`,
      { ...rule('inport'), direction: 'from-lport', options: { 'apply-after-lb': 'true' } },
      group,
    ),
    row('ACL', `topology/acl/multicast/${what}/ingress`, { ...rule('outport'), direction: 'to-lport' }, group),
  ]
}
