import { clusterIds, loadBalancerGroup, routerPeer } from './cluster.ts'
import {
  familiesOfGateway,
  type GatewayNode,
  type GatewayOptions,
  gatewayAddresses,
  gatewayRouterId,
} from './gateway-facts.ts'
import { natRows, ownAddressPolicies, routeRows } from './gateway-routes.ts'
import {
  clusterLoadBalancers,
  externalSwitch,
  externalToRouter,
  gatewayRouter,
  joinInterface,
  joinToRouter,
  macOf,
  masqueradeNextHop,
  physicalNetwork,
  routerLoadBalancers,
  routerToExternal,
  routerToJoin,
} from './names.ts'
import { type DesiredRow, member, ref, row } from './rows.ts'

/**
 * A node's gateway router between the join switch and the node's physical network. It has the node's own address and
 * MAC, so it may exist only after the flows of the gateway bridge keep the two apart.
 */
export function buildGatewayRows(node: GatewayNode, options: GatewayOptions): DesiredRow[] {
  return [
    routerRow(node),
    ...joinRows(node, options),
    ...externalRows(node),
    ...routeRows(node, options),
    ...natRows(node, options),
    ...ownAddressPolicies(node),
  ]
}

function routerRow({ name, chassisId, gateway }: GatewayNode): DesiredRow {
  const [address = '', ...more] = gatewayAddresses(gateway)
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
    external_ids: { physical_ip: address, physical_ips: [address, ...more].join(',') },
  })
}

function joinRows(node: GatewayNode, options: GatewayOptions): DesiredRow[] {
  const { name, number } = node
  const port = routerToJoin(gatewayRouter(name))
  const families = familiesOfGateway(node)
  return [
    row(
      'Logical_Router_Port',
      `topology/router-port/${port}`,
      {
        name: port,
        mac: macOf(families[0]?.join ?? ''),
        networks: families.map(({ family }) => joinInterface(number, family)),
        options: options.disablePacketMtuCheck ? {} : { gateway_mtu: String(options.mtuBytes) },
      },
      [member('Logical_Router', gatewayRouterId(name), 'ports')],
    ),
    routerPeer(joinToRouter(gatewayRouter(name)), port, clusterIds.join),
  ]
}

function externalRows(node: GatewayNode): DesiredRow[] {
  const { name, gateway } = node
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
        networks: gateway.addresses,
        external_ids: { 'gateway-physical-ip': 'yes' },
      },
      [member('Logical_Router', gatewayRouterId(name), 'ports')],
    ),
    routerPeer(externalToRouter(name), port, switchId, {
      addresses: [gateway.mac],
      options: { 'nat-addresses': 'router', 'exclude-lb-vips-from-garp': 'true' },
    }),
    ...familiesOfGateway(node).map(({ family }) => dummyNextHop(port, masqueradeNextHop[family])),
  ]
}

function dummyNextHop(port: string, ip: string): DesiredRow {
  return row('Static_MAC_Binding', `${port} ${ip}`, {
    logical_port: port,
    ip,
    mac: macOf(ip),
    override_dynamic_mac: true,
  })
}
