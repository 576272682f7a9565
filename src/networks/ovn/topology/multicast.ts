import { clusterIds } from './cluster.ts'
import { clusterPortGroup, clusterRouterPortGroup, hashedName } from './names.ts'
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

const anyMulticast = '(ip4.mcast || mldv1 || mldv2 || (ip6.dst[120..127] == 0xff && ip6.dst[116] == 1))'
const controller = 'default-network-controller'

export const namespacePortGroupId = (namespace: string): string => `topology/port-group/namespace/${namespace}`
export const namespaceAddressSetId = (namespace: string): string => `topology/address-set/namespace/${namespace}`

/** Multicast is dropped between pods unless their namespace asks for it; routers pass it. */
export function buildMulticastRows(namespaces: readonly MulticastNamespace[]): DesiredRow[] {
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
    ...namespaces.flatMap(namespaceRows),
  ]
}

function namespaceRows({ name, ports, addresses }: MulticastNamespace): DesiredRow[] {
  const primaryId = `${controller}:Namespace:${name}`
  const [group, set] = [hashedName(primaryId), hashedName(`${primaryId}:v4`)]
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
    row('Address_Set', namespaceAddressSetId(name), {
      name: set,
      addresses,
      external_ids: { ...ids, 'k8s.ovn.org/id': `${primaryId}:v4` },
    }),
    ...bothWays(`namespace/${name}`, namespacePortGroupId(name), (side) => ({
      priority: 1012,
      action: 'allow',
      match:
        side === 'inport'
          ? `inport == @${group} && ip4.mcast`
          : `outport == @${group} && (igmp || (ip4.src == $${set} && ip4.mcast))`,
    })),
  ]
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
