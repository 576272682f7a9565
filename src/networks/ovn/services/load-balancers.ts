import { type Family, familyOf, isAddress } from '../../../base/ip.ts'
import type { EndpointSliceResource, ServiceResource } from '../../../kube/resources/core.ts'
import { keyOf } from '../../../kube/resources/meta.ts'
import { gatewayRouterId } from '../topology/gateway-facts.ts'
import { clusterLoadBalancers, hairpinAddresses } from '../topology/names.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { type DesiredRow, type Membership, member, row } from '../topology/rows.ts'
import { hostAndPort, selectEndpoints } from './endpoints.ts'

/** A node with its switch. */
export interface ServiceNode {
  readonly name: string
  /** Where it takes NodePort traffic, one a family; empty without a gateway router. */
  readonly addresses: readonly string[]
}

type ServicePort = NonNullable<NonNullable<ServiceResource['spec']>['ports']>[number]

/**
 * Load balancers of a service, for addresses of the families that pods have: one row a protocol for its cluster addresses, or one a node where the internal traffic
 * policy is Local; and one a node for its node ports.
 */
export function buildLoadBalancers(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  { nodes, families }: { readonly nodes: readonly ServiceNode[]; readonly families: readonly Family[] },
): DesiredRow[] {
  const addresses = clusterAddresses(service, families)
  return [...new Set((service.spec?.ports ?? []).map(protocolOf))].flatMap((protocol) => {
    const ports = (service.spec?.ports ?? []).filter((port) => protocolOf(port) === protocol)
    return [
      ...(service.spec?.internalTrafficPolicy === 'Local'
        ? localRows(service, slices, { protocol, ports, nodes, addresses })
        : clusterRows(service, slices, { protocol, ports, addresses })),
      ...nodePortRows(service, slices, { protocol, ports, nodes }),
    ]
  })
}

function clusterRows(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  { protocol, ports, addresses }: Omit<Scope, 'nodes'> & Addresses,
): DesiredRow[] {
  if (addresses.length === 0) return []
  const entries = addresses.flatMap((address) =>
    ports.map((port) => [hostAndPort(address, port.port), backends(service, slices, port, { address })]),
  )
  const groups = [member('Load_Balancer_Group', clusterLoadBalancers, 'load_balancer')]
  return [
    balancerRow(service, `${protocol}_cluster`, protocol, { vips: Object.fromEntries(entries), memberOf: groups }),
  ]
}

interface Scope {
  readonly protocol: string
  readonly ports: readonly ServicePort[]
  readonly nodes: readonly ServiceNode[]
}

interface Addresses {
  /** The service's own. */
  readonly addresses: readonly string[]
}

/** Clients of a node reach the endpoints of that node alone; where it has none they are rejected at once. */
function localRows(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  { protocol, ports, nodes, addresses }: Scope & Addresses,
): DesiredRow[] {
  if (addresses.length === 0) return []
  return nodes.map(({ name }) => {
    const entries = addresses.flatMap((address) =>
      ports.map((port) => [hostAndPort(address, port.port), backends(service, slices, port, { address, node: name })]),
    )
    return balancerRow(service, `${protocol}_node_switch_${name}`, protocol, {
      vips: Object.fromEntries(entries),
      memberOf: [member('Logical_Switch', nodeSwitchId(name), 'load_balancer')],
    })
  })
}

function nodePortRows(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  { protocol, ports, nodes }: Scope,
): DesiredRow[] {
  const open = ports.filter((port) => (port.nodePort ?? 0) > 0)
  if (open.length === 0) return []
  return nodes.flatMap(({ name, addresses }) => {
    if (addresses.length === 0) return []
    const entries = addresses.flatMap((address) =>
      open.map((port) => [hostAndPort(address, port.nodePort ?? 0), backends(service, slices, port, { address })]),
    )
    return balancerRow(service, `${protocol}_node_router+switch_${name}`, protocol, {
      vips: Object.fromEntries(entries),
      memberOf: [
        member('Logical_Router', gatewayRouterId(name), 'load_balancer'),
        member('Logical_Switch', nodeSwitchId(name), 'load_balancer'),
      ],
    })
  })
}

function balancerRow(
  service: ServiceResource,
  suffix: string,
  protocol: string,
  { vips, memberOf }: { vips: Record<string, string>; memberOf: readonly Membership[] },
): DesiredRow {
  const key = keyOf(service)
  return row(
    'Load_Balancer',
    `service/${key}/${suffix}`,
    {
      name: `Service_${key}_${suffix}`,
      protocol: protocol.toLowerCase(),
      vips,
      selection_fields: affinityOf(service),
      options: {
        reject: 'true',
        event: 'false',
        skip_snat: 'false',
        neighbor_responder: 'none',
        hairpin_snat_ip: hairpinAddresses,
      },
      external_ids: { 'k8s.ovn.org/kind': 'Service', 'k8s.ovn.org/owner': key },
    },
    memberOf,
  )
}

/**
 * A client is kept at one backend by a hash of its address, for as long as the backends are the same. OVN's
 * `affinity_timeout` drops each client's first packet to learn from it (23.03), and in the userspace datapath the
 * retransmitted one is dropped as well: the client's first connection would hang.
 */
function affinityOf({ spec }: ServiceResource): readonly string[] {
  return spec?.sessionAffinity === 'ClientIP' ? ['ip_src', 'ip_dst'] : []
}

/** Of the family of the address that they stand behind. */
function backends(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  port: ServicePort,
  { address, node }: { readonly address: string; readonly node?: string },
): string {
  return selectEndpoints(service, slices, port, { family: familyOf(address), node })
    .map((endpoint) => hostAndPort(endpoint.address, endpoint.port))
    .join(',')
}

function clusterAddresses({ spec }: ServiceResource, families: readonly Family[]): readonly string[] {
  const all = spec?.clusterIPs ?? (spec?.clusterIP === undefined ? [] : [spec.clusterIP])
  return all.filter((address) => isAddress(address) && families.includes(familyOf(address)))
}

function protocolOf(port: ServicePort): string {
  return port.protocol ?? 'TCP'
}
