import { parseCidr } from '../../../base/ip.ts'
import { clusterIds, loadBalancerGroup, routerPeer } from './cluster.ts'
import {
  allOfFamily,
  clusterLoadBalancers,
  idOfFamily,
  joinAddress,
  linkLocalOf,
  macOf,
  managementLogicalPort,
  type NodeSubnet,
  nodeSubnet,
  ofFamily,
  routerToSwitch,
  switchLoadBalancers,
  switchToRouter,
} from './names.ts'
import { type DesiredRow, member, row } from './rows.ts'

/** What the topology needs to know of a node. */
export interface NodeFacts {
  readonly name: string
  /** One a family, IPv4 first, e.g. `10.144.0.0/24`. */
  readonly subnets: readonly string[]
  /** The node's number; its gateway router has this address of the join network. */
  readonly number: number
  /** Absent until the node's agent has said it. */
  readonly chassisId?: string | undefined
  /** Absent: no gateway interface was taken over, or its flows are not installed yet. */
  readonly gateway?: GatewayFacts | undefined
}

/** From the annotation k8s.ovn.org/l3-gateway-config. */
export interface GatewayFacts {
  readonly bridge: string
  /** Name of the localnet port. */
  readonly interfaceId: string
  readonly mac: string
  /** One a family at most, IPv4 first, e.g. `192.168.200.10/24`. */
  readonly addresses: readonly string[]
  /** Of the same families. */
  readonly nextHops: readonly string[]
  readonly vlanId: string
}

/** Below 1004, a node's own address; upstream has nothing at this one. */
const hostCidrPriority = 1000

export const nodeSwitchId = (node: string): string => `topology/switch/${node}`

export interface NodeOptions {
  readonly multicastEnabled: boolean
  readonly gatewayMode: 'local' | 'shared'
  /** In shared mode: prefixes that pods reach through their host all the same. */
  readonly hostCidrs: readonly string[]
}

/** A node's switch, its link to the cluster router, its management port, and its way out. */
export function buildNodeRows(node: NodeFacts, options: NodeOptions): DesiredRow[] {
  const subnets = node.subnets.map(nodeSubnet)
  return [
    switchRow(node.name, subnets, options),
    ...routerLinkRows(node, subnets),
    managementPortRow(node.name, subnets),
    ...subnets.flatMap((subnet) => egressRows(node, subnet, options)),
  ]
}

/** MAC of the router in a node's subnets: that of its first address there. */
export function routerMac([first]: readonly NodeSubnet[]): string {
  return macOf(first?.gateway ?? '')
}

/** MAC of a node's management port. */
export function managementMac([first]: readonly NodeSubnet[]): string {
  return macOf(first?.management ?? '')
}

function switchRow(
  name: string,
  subnets: readonly NodeSubnet[],
  { multicastEnabled }: { multicastEnabled: boolean },
): DesiredRow {
  const config = subnets.map(({ cidr, family, management }) =>
    family === 4 ? { subnet: cidr, exclude_ips: management } : { ipv6_prefix: parseCidr(cidr).network },
  )
  return row('Logical_Switch', nodeSwitchId(name), {
    name,
    load_balancer_group: [loadBalancerGroup(clusterLoadBalancers), loadBalancerGroup(switchLoadBalancers)],
    other_config: Object.assign({}, ...config, multicastEnabled ? multicastConfig(subnets) : {}),
  })
}

/** The querier asks from the router's addresses: of IPv6 its link-local one, as RFC 3810 wants it. */
function multicastConfig(subnets: readonly NodeSubnet[]): Record<string, string> {
  const mac = routerMac(subnets)
  const sources = subnets.map(({ family, gateway }) =>
    family === 4 ? { mcast_ip4_src: gateway } : { mcast_ip6_src: linkLocalOf(mac) },
  )
  return Object.assign({ mcast_snoop: 'true', mcast_querier: 'true', mcast_eth_src: mac }, ...sources)
}

function routerLinkRows({ name, chassisId }: NodeFacts, subnets: readonly NodeSubnet[]): DesiredRow[] {
  const port = routerToSwitch(name)
  const portId = `topology/router-port/${port}`
  const networks = subnets.map(({ gateway, prefixLength }) => `${gateway}/${prefixLength}`)
  const link = [
    row('Logical_Router_Port', portId, { name: port, mac: routerMac(subnets), networks }, [
      member('Logical_Router', clusterIds.router, 'ports'),
    ]),
    routerPeer(switchToRouter(name), port, nodeSwitchId(name), { portGroup: clusterIds.routerPortGroup }),
  ]
  if (chassisId === undefined) return link
  // Bound to its node, so that other chassis do not flood for this subnet.
  const chassis = row(
    'Gateway_Chassis',
    `topology/gateway-chassis/${port}`,
    { name: `${port}-${chassisId}`, chassis_name: chassisId, priority: 1 },
    [member('Logical_Router_Port', portId, 'gateway_chassis')],
  )
  return [...link, chassis]
}

function managementPortRow(node: string, subnets: readonly NodeSubnet[]): DesiredRow {
  const name = managementLogicalPort(node)
  const addresses = [[managementMac(subnets), ...subnets.map(({ management }) => management)].join(' ')]
  return row('Logical_Switch_Port', `topology/switch-port/${name}`, { name, addresses }, [
    member('Logical_Switch', nodeSwitchId(node), 'ports'),
  ])
}

/**
 * What pods send outside the cluster network: in local gateway mode it goes to their own host; in shared mode through
 * the node's gateway router, except for what the host alone knows the way to. A node of shared mode without its gateway,
 * or without one of this family, has no way out, rather than another one than was asked for.
 */
function egressRows({ name, number, gateway }: NodeFacts, subnet: NodeSubnet, options: NodeOptions): DesiredRow[] {
  const { family } = subnet
  const isLocal = options.gatewayMode === 'local'
  const hasGateway = ofFamily(gateway?.addresses ?? [], family) !== undefined
  const nextHop = isLocal ? subnet.management : hasGateway ? joinAddress(number, family) : undefined
  const route = (nexthop: string): DesiredRow =>
    row(
      'Logical_Router_Static_Route',
      `topology/route/${name}/${idOfFamily('egress', family)}`,
      { ip_prefix: subnet.cidr, nexthop, policy: 'src-ip' },
      [member('Logical_Router', clusterIds.router, 'static_routes')],
    )
  const hostCidrs = allOfFamily(options.hostCidrs, family)
  return [
    ...(nextHop === undefined ? [] : [route(nextHop)]),
    ...(isLocal ? [] : hostCidrs.map((cidr) => hostPolicy(name, subnet, cidr))),
  ]
}

function hostPolicy(node: string, { family, management }: NodeSubnet, cidr: string): DesiredRow {
  return row(
    'Logical_Router_Policy',
    `topology/policy/${node}/host/${cidr}`,
    {
      priority: hostCidrPriority,
      match: `inport == "${routerToSwitch(node)}" && ip${family}.dst == ${cidr} /* ${node} */`,
      action: 'reroute',
      nexthops: [management],
    },
    [member('Logical_Router', clusterIds.router, 'policies')],
  )
}
