import { bigintToAddress, parseCidr } from '../../../base/ip.ts'
import { routerPeer } from '../topology/cluster.ts'
import { macOf } from '../topology/names.ts'
import { type DesiredRow, member, row } from '../topology/rows.ts'
import {
  layer2Switch,
  localnetSwitch,
  networkIdKey,
  roleIdKey,
  secondaryLocalnetPort,
  secondaryNodeSwitch,
  secondaryRouter,
  secondaryRouterToSwitch,
  secondarySwitchToRouter,
  topologyIdKey,
} from './names.ts'
import type { SecondaryNetwork } from './net-conf.ts'

/** A node's part of a layer 3 network. */
export interface SecondaryNode {
  readonly name: string
  /** One a family; empty: the node has no part of this network yet. */
  readonly subnets: readonly string[]
  /** Absent until the node's agent has said it. */
  readonly chassisId?: string | undefined
}

/** Begins the ids of the rows that belong to a network as a whole. */
export const networkScope = (network: string): string => `secondary/${network}`

/** The switch that a pod on this node is plugged into. */
export function switchNameOf({ name, topology }: SecondaryNetwork, node: string): string {
  if (topology === 'layer2') return layer2Switch(name)
  return topology === 'localnet' ? localnetSwitch(name) : secondaryNodeSwitch(name, node)
}

export function switchIdOf(network: SecondaryNetwork, node: string): string {
  return `${networkScope(network.name)}/switch/${switchNameOf(network, node)}`
}

/** Everything of the northbound database that belongs to a secondary network and to none of its pods. */
export function buildSecondaryRows(network: SecondaryNetwork, nodes: readonly SecondaryNode[]): DesiredRow[] {
  if (network.topology === 'layer2') return [flatSwitch(network)]
  if (network.topology === 'localnet') return [flatSwitch(network), localnetRow(network)]
  const placed = nodes.filter(({ subnets }) => subnets.length > 0)
  return [routerRow(network), ...placed.flatMap((node) => nodeRows(network, node))]
}

/** The router of a node's part: its first address. */
export function gatewayOf(subnet: string): string {
  const { first, family } = parseCidr(subnet)
  return bigintToAddress(first + 1n, family)
}

/** Upstream gives these to switches and routers alike. */
function externalIds({ name, topology }: SecondaryNetwork): Record<string, string> {
  return { [networkIdKey]: name, [roleIdKey]: 'secondary', [topologyIdKey]: topology }
}

/** One switch for all nodes. */
function flatSwitch(network: SecondaryNetwork): DesiredRow {
  return row('Logical_Switch', switchIdOf(network, ''), {
    name: switchNameOf(network, ''),
    other_config: subnetConfig(network.subnets.map(({ cidr }) => cidr)),
    external_ids: externalIds(network),
  })
}

/** The way out to the physical network: a port that learns. */
function localnetRow(network: SecondaryNetwork): DesiredRow {
  const name = secondaryLocalnetPort(network.name)
  return row(
    'Logical_Switch_Port',
    `${networkScope(network.name)}/switch-port/${name}`,
    {
      name,
      type: 'localnet',
      addresses: ['unknown'],
      options: { network_name: network.physicalNetwork ?? network.name },
      tag_request: network.vlanId,
    },
    [member('Logical_Switch', switchIdOf(network, ''), 'ports')],
  )
}

function routerRow(network: SecondaryNetwork): DesiredRow {
  return row('Logical_Router', routerId(network), {
    name: secondaryRouter(network.name),
    options: { always_learn_from_arp_request: 'false' },
    external_ids: externalIds(network),
  })
}

function nodeRows(network: SecondaryNetwork, { name: node, subnets, chassisId }: SecondaryNode): DesiredRow[] {
  const port = secondaryRouterToSwitch(network.name, node)
  const portId = `${networkScope(network.name)}/router-port/${port}`
  const gateways = subnets.map(gatewayOf)
  const link = [
    row('Logical_Switch', switchIdOf(network, node), {
      name: secondaryNodeSwitch(network.name, node),
      other_config: { ...subnetConfig(subnets), ...excludedConfig(subnets) },
      external_ids: externalIds(network),
    }),
    row(
      'Logical_Router_Port',
      portId,
      { name: port, mac: macOf(gateways[0] ?? ''), networks: subnets.map(withGateway) },
      [member('Logical_Router', routerId(network), 'ports')],
    ),
    linkRow(network, node, port),
  ]
  if (chassisId === undefined) return link
  // Bound to its node, so that other chassis do not flood for this part.
  const chassis = row(
    'Gateway_Chassis',
    `${networkScope(network.name)}/gateway-chassis/${port}`,
    { name: `${port}-${chassisId}`, chassis_name: chassisId, priority: 1 },
    [member('Logical_Router_Port', portId, 'gateway_chassis')],
  )
  return [...link, chassis]
}

function linkRow(network: SecondaryNetwork, node: string, routerPort: string): DesiredRow {
  const scope = networkScope(network.name)
  return routerPeer(secondarySwitchToRouter(network.name, node), routerPort, switchIdOf(network, node), { scope })
}

const routerId = ({ name }: SecondaryNetwork): string => `${networkScope(name)}/router/${secondaryRouter(name)}`

function withGateway(subnet: string): string {
  return `${gatewayOf(subnet)}/${parseCidr(subnet).prefixLength}`
}

function subnetConfig(subnets: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    subnets.map((subnet) => {
      const { family, network } = parseCidr(subnet)
      return family === 4 ? ['subnet', subnet] : ['ipv6_prefix', network]
    }),
  )
}

/** `.2`, which is the node's own on the cluster network, is nobody's here and still never given out. */
function excludedConfig(subnets: readonly string[]): Record<string, string> {
  const [first] = subnets.map((subnet) => parseCidr(subnet)).filter(({ family }) => family === 4)
  return first === undefined ? {} : { exclude_ips: bigintToAddress(first.first + 2n, 4) }
}
