import type { Family } from '../../../base/ip.ts'
import type { BgpNode } from '../bgp/bgp-node.ts'
import type { IPPool } from '../resources.ts'
import { mayClaim } from './pools.ts'

const remedies: Readonly<Record<Family, string>> = {
  4: 'set networks.routed.ipAutodetectionMethod, or bgp.ipv4Address of the Node',
  6: 'set networks.routed.ip6AutodetectionMethod, or bgp.ipv6Address of the Node',
}

/**
 * Families of which pods here get addresses that other nodes do not learn, because this node speaks no BGP of the
 * family: one sentence each with the way out. Tunnels need none. Pure.
 */
export function findUnroutedPools({
  local,
  nodes,
  pools,
}: {
  local: Pick<BgpNode, 'name' | 'labels' | 'addresses'>
  nodes: readonly Pick<BgpNode, 'name'>[]
  pools: readonly IPPool[]
}): string[] {
  if (nodes.every(({ name }) => name === local.name)) return []
  return ([4, 6] as const).flatMap((family) => {
    if (local.addresses[family] !== undefined) return []
    const pool = pools.find((each) => isPlainOf(each, family) && mayClaim(each, local.labels))
    if (pool === undefined) return []
    const { name } = pool.metadata
    return [
      `node ${local.name} has no IPv${family} address for BGP: other nodes do not reach its pods with addresses of IPPool ${name}; ${remedies[family]}`,
    ]
  })
}

function isPlainOf({ spec }: IPPool, family: Family): boolean {
  const { ipipMode = 'Never', vxlanMode = 'Never', allowedUses } = spec
  const isForPods = allowedUses?.includes('Workload') ?? true
  return spec.cidr.includes(':') === (family === 6) && isForPods && ipipMode === 'Never' && vxlanMode === 'Never'
}
