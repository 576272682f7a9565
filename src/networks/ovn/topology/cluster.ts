import {
  clusterLoadBalancers,
  clusterPortGroup,
  clusterRouter,
  clusterRouterPortGroup,
  familiesOf,
  joinAddress,
  joinInterface,
  joinSwitch,
  joinToRouter,
  macOf,
  routerLoadBalancers,
  routerToJoin,
  switchLoadBalancers,
} from './names.ts'
import { type DesiredRow, member, ref, row } from './rows.ts'

/** Ids of the rows that belong to the cluster as a whole. */
export const clusterIds = {
  router: `topology/router/${clusterRouter}`,
  join: `topology/switch/${joinSwitch}`,
  portGroup: `topology/port-group/${clusterPortGroup}`,
  routerPortGroup: `topology/port-group/${clusterRouterPortGroup}`,
  copp: 'topology/copp',
}

/** The cluster router, the join switch, the groups and the limits for the control plane. */
export function buildClusterRows(options: { multicastEnabled: boolean; netCidrs: readonly string[] }): DesiredRow[] {
  return [...controlPlaneRows(), ...groupRows(), routerRow(options), ...joinRows(options)]
}

/** Name of a load balancer group or a load balancer group's id: the table has no external_ids. */
export const loadBalancerGroup = (name: string) => ref('Load_Balancer_Group', name)

function groupRows(): DesiredRow[] {
  return [
    ...[clusterLoadBalancers, switchLoadBalancers, routerLoadBalancers].map((name) =>
      row('Load_Balancer_Group', name, { name }),
    ),
    row('Port_Group', clusterIds.portGroup, { name: clusterPortGroup }),
    row('Port_Group', clusterIds.routerPortGroup, { name: clusterRouterPortGroup }),
  ]
}

function routerRow({ multicastEnabled }: { multicastEnabled: boolean }): DesiredRow {
  return row('Logical_Router', clusterIds.router, {
    name: clusterRouter,
    copp: ref('Copp', clusterIds.copp),
    options: {
      always_learn_from_arp_request: 'false',
      ...(multicastEnabled ? { mcast_relay: 'true' } : {}),
    },
    external_ids: { 'k8s-cluster-router': 'yes' },
  })
}

function joinRows({ netCidrs }: { netCidrs: readonly string[] }): DesiredRow[] {
  const families = familiesOf(netCidrs)
  const mac = macOf(joinAddress(1, families[0] ?? 4))
  const networks = families.map((family) => joinInterface(1, family))
  return [
    row('Logical_Switch', clusterIds.join, { name: joinSwitch }),
    row(
      'Logical_Router_Port',
      `topology/router-port/${routerToJoin(clusterRouter)}`,
      { name: routerToJoin(clusterRouter), mac, networks },
      [member('Logical_Router', clusterIds.router, 'ports')],
    ),
    routerPeer(joinToRouter(clusterRouter), routerToJoin(clusterRouter), clusterIds.join),
  ]
}

/** The switch's end of a link between a switch and a router. */
export function routerPeer(
  name: string,
  routerPort: string,
  switchId: string,
  more: {
    addresses?: readonly string[]
    options?: Record<string, string>
    portGroup?: string
    /** Begins the row's id. @default topology */
    scope?: string
  } = {},
): DesiredRow {
  const groups = more.portGroup === undefined ? [] : [member('Port_Group', more.portGroup, 'ports')]
  return row(
    'Logical_Switch_Port',
    `${more.scope ?? 'topology'}/switch-port/${name}`,
    {
      name,
      type: 'router',
      addresses: more.addresses ?? ['router'],
      options: { 'router-port': routerPort, ...more.options },
    },
    [member('Logical_Switch', switchId, 'ports'), ...groups],
  )
}

const limitedProtocols = [
  'arp',
  'arp-resolve',
  'bfd',
  'event-elb',
  'icmp4-error',
  'icmp6-error',
  'reject',
  'svc-monitor',
  'tcp-reset',
]

/** At most 25 packets a second of each kind reach ovn-controller, fairly among the chassis. */
function controlPlaneRows(): DesiredRow[] {
  const meterOf = (protocol: string): string => `${protocol}-rate-limiter`
  const meters = limitedProtocols.flatMap((protocol) => {
    const band = `topology/meter-band/${protocol}`
    return [
      row('Meter_Band', band, { action: 'drop', rate: 25 }),
      row('Meter', `topology/meter/${protocol}`, {
        name: meterOf(protocol),
        unit: 'pktps',
        fair: true,
        bands: [ref('Meter_Band', band)],
      }),
    ]
  })
  const names = Object.fromEntries(limitedProtocols.map((protocol) => [protocol, meterOf(protocol)]))
  return [...meters, row('Copp', clusterIds.copp, { name: 'ovnkube-default', meters: names })]
}
