import { clusterIds, loadBalancerGroup, routerPeer } from './cluster.ts'
import {
  clusterLoadBalancers,
  joinAddress,
  macOf,
  managementLogicalPort,
  type NodeSubnet,
  nodeSubnet,
  routerToSwitch,
  switchLoadBalancers,
  switchToRouter,
} from './names.ts'
import { type DesiredRow, member, row } from './rows.ts'

/** What the topology needs to know of a node. */
export interface NodeFacts {
  readonly name: string
  /** e.g. `10.144.0.0/24` */
  readonly subnet: string
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
  /** e.g. `192.168.200.10/24` */
  readonly address: string
  readonly nextHop: string
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
  const subnet = nodeSubnet(node.subnet)
  return [
    switchRow(node.name, subnet, options),
    ...routerLinkRows(node, subnet),
    managementPortRow(node.name, subnet),
    ...egressRows(node, subnet, options),
  ]
}

function switchRow(name: string, subnet: NodeSubnet, options: { multicastEnabled: boolean }): DesiredRow {
  const multicast = {
    mcast_snoop: 'true',
    mcast_querier: 'true',
    mcast_eth_src: macOf(subnet.gateway),
    mcast_ip4_src: subnet.gateway,
  }
  return row('Logical_Switch', nodeSwitchId(name), {
    name,
    load_balancer_group: [loadBalancerGroup(clusterLoadBalancers), loadBalancerGroup(switchLoadBalancers)],
    other_config: {
      subnet: subnet.cidr,
      exclude_ips: subnet.management,
      ...(options.multicastEnabled ? multicast : {}),
    },
  })
}

function routerLinkRows({ name, chassisId }: NodeFacts, subnet: NodeSubnet): DesiredRow[] {
  const port = routerToSwitch(name)
  const portId = `topology/router-port/${port}`
  const link = [
    row(
      'Logical_Router_Port',
      portId,
      { name: port, mac: macOf(subnet.gateway), networks: [`${subnet.gateway}/${subnet.prefixLength}`] },
      [member('Logical_Router', clusterIds.router, 'ports')],
    ),
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

function managementPortRow(node: string, subnet: NodeSubnet): DesiredRow {
  const name = managementLogicalPort(node)
  return row(
    'Logical_Switch_Port',
    `topology/switch-port/${name}`,
    { name, addresses: [`${macOf(subnet.management)} ${subnet.management}`] },
    [member('Logical_Switch', nodeSwitchId(node), 'ports')],
  )
}

/**
 * What pods send outside the cluster network: in local gateway mode it goes to their own host; in shared mode through
 * the node's gateway router, except for what the host alone knows the way to. A node of shared mode without its gateway
 * has no way out, rather than another one than was asked for.
 */
function egressRows({ name, number, gateway }: NodeFacts, subnet: NodeSubnet, options: NodeOptions): DesiredRow[] {
  const isLocal = options.gatewayMode === 'local'
  const nextHop = isLocal ? subnet.management : gateway && joinAddress(number)
  const route = (nexthop: string): DesiredRow =>
    row(
      'Logical_Router_Static_Route',
      `topology/route/${name}/egress`,
      { ip_prefix: subnet.cidr, nexthop, policy: 'src-ip' },
      [member('Logical_Router', clusterIds.router, 'static_routes')],
    )
  return [
    ...(nextHop === undefined ? [] : [route(nextHop)]),
    ...(isLocal ? [] : options.hostCidrs.map((cidr) => hostPolicy(name, subnet, cidr))),
  ]
}

function hostPolicy(node: string, subnet: NodeSubnet, cidr: string): DesiredRow {
  return row(
    'Logical_Router_Policy',
    `topology/policy/${node}/host/${cidr}`,
    {
      priority: hostCidrPriority,
      match: `inport == "${routerToSwitch(node)}" && ip4.dst == ${cidr} /* ${node} */`,
      action: 'reroute',
      nexthops: [subnet.management],
    },
    [member('Logical_Router', clusterIds.router, 'policies')],
  )
}
