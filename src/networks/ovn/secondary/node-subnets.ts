import { allocateByFamily, type NodePool } from '../ipam/node-subnets.ts'
import type { SecondaryNetwork } from './net-conf.ts'

/** A node and the parts of each network that its annotation says it has. */
export interface SubnetClaims {
  readonly node: string
  subnetsOf(network: string): readonly string[]
}

/** The parts of the layer 3 networks, by node and network. Nodes for which no part is left have none of that network. */
export function allocateSecondarySubnets(
  nodes: readonly SubnetClaims[],
  networks: readonly SecondaryNetwork[],
): Map<string, Record<string, string[]>> {
  const given = new Map<string, Record<string, string[]>>(nodes.map(({ node }) => [node, {}]))
  for (const { name, topology, subnets } of networks) {
    if (topology !== 'layer3') continue
    const pools = subnets.map(({ cidr, hostPrefix = 0 }): NodePool => ({ cidr, hostPrefix }))
    const claims = nodes.map(({ node, subnetsOf }) => ({ node, subnets: subnetsOf(name) }))
    for (const [node, own] of allocateByFamily(pools, claims)) (given.get(node) ?? {})[name] = own
  }
  return given
}
