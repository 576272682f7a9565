import { parseCidr } from '../../../base/ip.ts'
import { allocateNodeSubnets } from '../ipam/node-subnets.ts'
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
    for (const family of [4, 6]) {
      const claims = nodes.map(({ node, subnetsOf }) => ({ node, subnet: ofFamily(subnetsOf(name), family) }))
      const pools = subnets
        .filter(({ cidr }) => parseCidr(cidr).family === family)
        .map(({ cidr, hostPrefix = 0 }) => ({ cidr, hostPrefix }))
      for (const [node, subnet] of allocateNodeSubnets(pools, claims)) {
        const own = given.get(node)
        if (own !== undefined) own[name] = [...(own[name] ?? []), subnet]
      }
    }
  }
  return given
}

function ofFamily(subnets: readonly string[], family: number): string | undefined {
  return subnets.find((subnet) => subnet.includes(':') === (family === 6))
}
