import { buildClusterRows } from './cluster.ts'
import { buildGatewayRows } from './gateway.ts'
import type { GatewayOptions } from './gateway-facts.ts'
import { buildMulticastRows, type MulticastNamespace } from './multicast.ts'
import { buildNodeRows, type GatewayFacts, type NodeFacts, type NodeOptions } from './node.ts'
import type { DesiredRow } from './rows.ts'

export interface TopologyInput {
  readonly nodes: readonly NodeFacts[]
  /** Namespaces that have multicast allowed. */
  readonly multicastNamespaces: readonly MulticastNamespace[]
  readonly options: GatewayOptions & NodeOptions
}

/** Everything of the northbound database that does not belong to a pod or a service. */
export function buildTopology({ nodes, multicastNamespaces, options }: TopologyInput): DesiredRow[] {
  return [
    ...buildClusterRows(options),
    ...nodes.flatMap((node) => [
      ...buildNodeRows(node, options),
      ...(hasGateway(node) ? buildGatewayRows(node, options) : []),
    ]),
    ...(options.multicastEnabled ? buildMulticastRows(multicastNamespaces, options) : []),
  ]
}

function hasGateway(node: NodeFacts): node is NodeFacts & { gateway: GatewayFacts } {
  return node.gateway !== undefined && node.chassisId !== undefined
}
