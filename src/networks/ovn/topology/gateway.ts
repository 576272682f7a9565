import { parseInterfaceAddress } from '../../../base/ip.ts'
import { clusterIds, loadBalancerGroup, routerPeer } from './cluster.ts'
import {
  clusterLoadBalancers,
  externalSwitch,
  externalToRouter,
  gatewayRouter,
  joinAddress,
  joinToRouter,
  macOf,
  masqueradeCidr,
  masqueradeNextHop,
  nodeSubnet,
  physicalNetwork,
  routerLoadBalancers,
  routerToExternal,
  routerToJoin,
  routerToSwitch,
} from './names.ts'
import type { GatewayFacts, NodeFacts } from './node.ts'
import { type DesiredRow, member, ref, row } from './rows.ts'

export interface GatewayOptions {
  /** Prefixes of all pods. */
  readonly netCidrs: readonly string[]
  readonly mtuBytes: number
  /** One source NAT row a pod instead of one for the whole cluster network. */
  readonly disableSnatMultipleGateways: boolean
  readonly disablePacketMtuCheck: boolean
}

export const gatewayRouterId = (node: string): string => `topology/router/${gatewayRouter(node)}`

/** The address without its length. */
export function gatewayAddress(gateway: GatewayFacts): string {
  return parseInterfaceAddress(gateway.address).address
}

/**
 * A node's gateway router between the join switch and the node's physical network. It has the node's own address and
 * MAC, so it may exist only after the flows of the gateway bridge keep the two apart.
 */
export function buildGatewayRows(node: NodeFacts & { gateway: GatewayFacts }, options: GatewayOptions): DesiredRow[] {
  return [
    routerRow(node),
    ...joinRows(node, options),
    ...externalRows(node),
    ...routeRows(node, options),
    ...natRows(node, options),
    ownAddressPolicy(node),
  ]
}

function routerRow({ name, chassisId, gateway }: NodeFacts & { gateway: GatewayFacts }): DesiredRow {
  const address = gatewayAddress(gateway)
  return row('Logical_Router', gatewayRouterId(name), {
    name: gatewayRouter(name),
    copp: ref('Copp', clusterIds.copp),
    load_balancer_group: [loadBalancerGroup(clusterLoadBalancers), loadBalancerGroup(routerLoadBalancers)],
    options: {
      ...(chassisId === undefined ? {} : { chassis: chassisId }),
      always_learn_from_arp_request: 'false',
      dynamic_neigh_routers: 'true',
      lb_force_snat_ip: 'router_ip',
      'snat-ct-zone': '0',
      mac_binding_age_threshold: '300',
    },
    external_ids: { physical_ip: address, physical_ips: address },
  })
}

function joinRows({ name, number }: NodeFacts, options: GatewayOptions): DesiredRow[] {
  const [port, address] = [routerToJoin(gatewayRouter(name)), joinAddress(number)]
  return [
    row(
      'Logical_Router_Port',
      `topology/router-port/${port}`,
      {
        name: port,
        mac: macOf(address),
        networks: [`${address}/16`],
        options: options.disablePacketMtuCheck ? {} : { gateway_mtu: String(options.mtuBytes) },
      },
      [member('Logical_Router', gatewayRouterId(name), 'ports')],
    ),
    routerPeer(joinToRouter(gatewayRouter(name)), port, clusterIds.join),
  ]
}

function externalRows({ name, gateway }: NodeFacts & { gateway: GatewayFacts }): DesiredRow[] {
  const switchId = `topology/switch/${externalSwitch(name)}`
  const port = routerToExternal(name)
  return [
    row('Logical_Switch', switchId, { name: externalSwitch(name) }),
    row(
      'Logical_Switch_Port',
      `topology/switch-port/${gateway.interfaceId}`,
      {
        name: gateway.interfaceId,
        type: 'localnet',
        addresses: ['unknown'],
        options: { network_name: physicalNetwork },
      },
      [member('Logical_Switch', switchId, 'ports')],
    ),
    row(
      'Logical_Router_Port',
      `topology/router-port/${port}`,
      {
        name: port,
        mac: gateway.mac,
        networks: [gateway.address],
        external_ids: { 'gateway-physical-ip': 'yes' },
      },
      [member('Logical_Router', gatewayRouterId(name), 'ports')],
    ),
    routerPeer(externalToRouter(name), port, switchId, {
      addresses: [gateway.mac],
      options: { 'nat-addresses': 'router', 'exclude-lb-vips-from-garp': 'true' },
    }),
    row('Static_MAC_Binding', `${port} ${masqueradeNextHop}`, {
      logical_port: port,
      ip: masqueradeNextHop,
      mac: macOf(masqueradeNextHop),
      override_dynamic_mac: true,
    }),
  ]
}

function routeRows(
  { name, number, gateway }: NodeFacts & { gateway: GatewayFacts },
  options: GatewayOptions,
): DesiredRow[] {
  const inGateway = [member('Logical_Router', gatewayRouterId(name), 'static_routes')]
  const outside = routerToExternal(name)
  const join = joinAddress(number)
  const route = (what: string, columns: DesiredRow<'Logical_Router_Static_Route'>['columns']): DesiredRow =>
    row('Logical_Router_Static_Route', `topology/route/${name}/${what}`, columns, inGateway)
  return [
    ...options.netCidrs.map((cidr) => route(`cluster/${cidr}`, { ip_prefix: cidr, nexthop: joinAddress(1) })),
    route('masquerade', {
      ip_prefix: masqueradeCidr,
      nexthop: masqueradeNextHop,
      output_port: outside,
      external_ids: { 'k8s.ovn.org/node-masquerade-subnet': '' },
    }),
    route('default', { ip_prefix: '0.0.0.0/0', nexthop: gateway.nextHop, output_port: outside }),
    row('Logical_Router_Static_Route', `topology/route/${name}/join`, { ip_prefix: `${join}/32`, nexthop: join }, [
      member('Logical_Router', clusterIds.router, 'static_routes'),
    ]),
  ]
}

function natRows(
  { name, number, gateway }: NodeFacts & { gateway: GatewayFacts },
  options: GatewayOptions,
): DesiredRow[] {
  const snat = (what: string, inside: string): DesiredRow =>
    row(
      'NAT',
      `topology/nat/${name}/${what}`,
      { type: 'snat', external_ip: gatewayAddress(gateway), logical_ip: inside, options: { stateless: 'false' } },
      [member('Logical_Router', gatewayRouterId(name), 'nat')],
    )
  return [
    snat('join', joinAddress(number)),
    ...(options.disableSnatMultipleGateways ? [] : options.netCidrs.map((cidr) => snat(`cluster/${cidr}`, cidr))),
  ]
}

/** A pod reaches its own node's address through the management port; the gateway router would answer for it. */
function ownAddressPolicy({ name, subnet, gateway }: NodeFacts & { gateway: GatewayFacts }): DesiredRow {
  return row(
    'Logical_Router_Policy',
    `topology/policy/${name}/own-address`,
    {
      priority: 1004,
      match: `inport == "${routerToSwitch(name)}" && ip4.dst == ${gatewayAddress(gateway)} /* ${name} */`,
      action: 'reroute',
      nexthops: [nodeSubnet(subnet).management],
    },
    [member('Logical_Router', clusterIds.router, 'policies')],
  )
}
