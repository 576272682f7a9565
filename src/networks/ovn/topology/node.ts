import { clusterIds, loadBalancerGroup, routerPeer } from './cluster.ts'
import {
  clusterLoadBalancers,
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

export const nodeSwitchId = (node: string): string => `topology/switch/${node}`

/** A node's switch, its link to the cluster router, its management port, and its way out through the host. */
export function buildNodeRows(node: NodeFacts, options: { multicastEnabled: boolean }): DesiredRow[] {
  const subnet = nodeSubnet(node.subnet)
  return [
    switchRow(node.name, subnet, options),
    ...routerLinkRows(node, subnet),
    managementPortRow(node.name, subnet),
    egressRoute(node.name, subnet),
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

/** Local gateway mode: what pods send outside the cluster network goes to their own host. */
function egressRoute(node: string, subnet: NodeSubnet): DesiredRow {
  return row(
    'Logical_Router_Static_Route',
    `topology/route/${node}/egress`,
    { ip_prefix: subnet.cidr, nexthop: subnet.management, policy: 'src-ip' },
    [member('Logical_Router', clusterIds.router, 'static_routes')],
  )
}
