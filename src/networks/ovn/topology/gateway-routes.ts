import { hostPrefixOf } from '../../../base/ip.ts'
import { clusterIds } from './cluster.ts'
import {
  familiesOfGateway,
  type GatewayFamily,
  type GatewayNode,
  type GatewayOptions,
  gatewayRouterId,
} from './gateway-facts.ts'
import {
  allOfFamily,
  idOfFamily,
  joinAddress,
  masqueradeCidr,
  masqueradeNextHop,
  nodeSubnet,
  ofFamily,
  routerToExternal,
  routerToSwitch,
} from './names.ts'
import { type DesiredRow, member, row } from './rows.ts'

export function routeRows(node: GatewayNode, options: GatewayOptions): DesiredRow[] {
  return familiesOfGateway(node).flatMap((family) => familyRoutes(node, family, options))
}

function familyRoutes(
  { name }: GatewayNode,
  { family, nextHop, join }: GatewayFamily,
  options: GatewayOptions,
): DesiredRow[] {
  const inGateway = member('Logical_Router', gatewayRouterId(name), 'static_routes')
  const outside = routerToExternal(name)
  const route = (
    what: string,
    columns: DesiredRow<'Logical_Router_Static_Route'>['columns'],
    router = inGateway,
  ): DesiredRow => row('Logical_Router_Static_Route', `topology/route/${name}/${what}`, columns, [router])
  const id = (what: string): string => idOfFamily(what, family)
  const pods = allOfFamily(options.netCidrs, family)
  const everywhere = family === 4 ? '0.0.0.0/0' : '::/0'
  const inCluster = member('Logical_Router', clusterIds.router, 'static_routes')
  return [
    ...pods.map((cidr) => route(`cluster/${cidr}`, { ip_prefix: cidr, nexthop: joinAddress(1, family) })),
    route(id('masquerade'), {
      ip_prefix: masqueradeCidr[family],
      nexthop: masqueradeNextHop[family],
      output_port: outside,
      external_ids: { 'k8s.ovn.org/node-masquerade-subnet': '' },
    }),
    ...(nextHop === undefined
      ? []
      : [route(id('default'), { ip_prefix: everywhere, nexthop: nextHop, output_port: outside })]),
    route(id('join'), { ip_prefix: hostPrefixOf(join), nexthop: join }, inCluster),
  ]
}

export function natRows(node: GatewayNode, options: GatewayOptions): DesiredRow[] {
  return familiesOfGateway(node).flatMap(({ family, address, join }) => {
    const snat = (what: string, inside: string): DesiredRow =>
      row(
        'NAT',
        `topology/nat/${node.name}/${what}`,
        { type: 'snat', external_ip: address, logical_ip: inside, options: { stateless: 'false' } },
        [member('Logical_Router', gatewayRouterId(node.name), 'nat')],
      )
    const pods = allOfFamily(options.netCidrs, family)
    return [
      snat(idOfFamily('join', family), join),
      ...(options.disableSnatMultipleGateways ? [] : pods.map((cidr) => snat(`cluster/${cidr}`, cidr))),
    ]
  })
}

/** A pod reaches its own node's address through the management port; the gateway router would answer for it. */
export function ownAddressPolicies(node: GatewayNode): DesiredRow[] {
  return familiesOfGateway(node).flatMap(({ family, address }) => {
    const subnet = ofFamily(node.subnets, family)
    if (subnet === undefined) return []
    return row(
      'Logical_Router_Policy',
      `topology/policy/${node.name}/${idOfFamily('own-address', family)}`,
      {
        priority: 1004,
        match: `inport == "${routerToSwitch(node.name)}" && ip${family}.dst == ${address} /* ${node.name} */`,
        action: 'reroute',
        nexthops: [nodeSubnet(subnet).management],
      },
      [member('Logical_Router', clusterIds.router, 'policies')],
    )
  })
}
