import type { EndpointSliceResource, ServiceResource } from '../../../kube/resources/core.ts'
import { keyOf } from '../../../kube/resources/meta.ts'
import { gatewayRouterId } from '../topology/gateway.ts'
import { clusterLoadBalancers, hairpinAddresses } from '../topology/names.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { type DesiredRow, type Membership, member, row } from '../topology/rows.ts'
import { selectEndpoints } from './endpoints.ts'

/** A node that takes NodePort traffic. */
export interface ServiceNode {
  readonly name: string
  readonly address: string
}

type ServicePort = NonNullable<NonNullable<ServiceResource['spec']>['ports']>[number]

/** Load balancers of a service: one row a protocol for its cluster addresses, and one a node for its node ports. */
export function buildLoadBalancers(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  nodes: readonly ServiceNode[],
): DesiredRow[] {
  return [...new Set((service.spec?.ports ?? []).map(protocolOf))].flatMap((protocol) => {
    const ports = (service.spec?.ports ?? []).filter((port) => protocolOf(port) === protocol)
    return [
      ...clusterRows(service, slices, protocol, ports),
      ...nodePortRows(service, slices, { protocol, ports, nodes }),
    ]
  })
}

function clusterRows(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  protocol: string,
  ports: readonly ServicePort[],
): DesiredRow[] {
  const addresses = clusterAddresses(service)
  if (addresses.length === 0) return []
  const entries = addresses.flatMap((address) =>
    ports.map((port) => [`${address}:${port.port}`, backends(service, slices, port)]),
  )
  const groups = [member('Load_Balancer_Group', clusterLoadBalancers, 'load_balancer')]
  return [
    balancerRow(service, `${protocol}_cluster`, protocol, { vips: Object.fromEntries(entries), memberOf: groups }),
  ]
}

function nodePortRows(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  { protocol, ports, nodes }: { protocol: string; ports: readonly ServicePort[]; nodes: readonly ServiceNode[] },
): DesiredRow[] {
  const open = ports.filter((port) => (port.nodePort ?? 0) > 0)
  if (open.length === 0) return []
  return nodes.map(({ name, address }) => {
    const entries = open.map((port) => [`${address}:${port.nodePort}`, backends(service, slices, port)])
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
  const affinity = affinityOf(service)
  return row(
    'Load_Balancer',
    `service/${key}/${suffix}`,
    {
      name: `Service_${key}_${suffix}`,
      protocol: protocol.toLowerCase(),
      vips,
      selection_fields: affinity.fields,
      options: {
        reject: 'true',
        event: 'false',
        skip_snat: 'false',
        neighbor_responder: 'none',
        hairpin_snat_ip: hairpinAddresses,
        ...affinity.options,
      },
      external_ids: { 'k8s.ovn.org/kind': 'Service', 'k8s.ovn.org/owner': key },
    },
    memberOf,
  )
}

/** A day is the longest there is: then the address alone decides, for ever. */
function affinityOf({ spec }: ServiceResource): { fields: readonly string[]; options: Record<string, string> } {
  if (spec?.sessionAffinity !== 'ClientIP') return { fields: [], options: {} }
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800
  if (timeout === 86_400) return { fields: ['ip_src', 'ip_dst'], options: {} }
  return { fields: [], options: { affinity_timeout: String(timeout) } }
}

function backends(service: ServiceResource, slices: readonly EndpointSliceResource[], port: ServicePort): string {
  return selectEndpoints(service, slices, port)
    .map(({ address, port: number }) => `${address}:${number}`)
    .join(',')
}

function clusterAddresses({ spec }: ServiceResource): readonly string[] {
  const all = spec?.clusterIPs ?? (spec?.clusterIP === undefined ? [] : [spec.clusterIP])
  return all.filter((address) => address !== '' && address !== 'None' && !address.includes(':'))
}

function protocolOf(port: ServicePort): string {
  return port.protocol ?? 'TCP'
}
