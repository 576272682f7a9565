import { cidrContains, cidrCovers, cidrOf, formatCidr, parseCidr } from '../../../base/ip.ts'
import type { FdbEntry, Neighbor, Route } from '../../../kernel/kernel.ts'
import { type EncapsulatedPool, tunnelDevices } from './encapsulation.ts'
import type { Placement } from './placements.ts'
import type { TunnelNode } from './tunnel-node.ts'

export interface TunnelInput {
  readonly local: TunnelNode & {
    /** The interface that holds the address; unknown: nothing is sent directly. */
    readonly device: string | undefined
  }
  /** The others. */
  readonly nodes: readonly TunnelNode[]
  readonly pools: readonly EncapsulatedPool[]
  readonly placements: readonly Placement[]
}

/** What the kernel of a node shall have, so that its pods reach those of other nodes without any routing protocol. */
export interface TunnelPlan {
  readonly fdb: readonly FdbEntry[]
  readonly neighbors: readonly Neighbor[]
  readonly routes: readonly Route[]
  /** Pools of which every prefix has its route: what BGP says of them is not needed. */
  readonly carried: readonly string[]
}

/** Protocol of our routes over and beside tunnels, that of Calico's Felix: who changes over has no route twice. */
export const tunnelRouteProtocol = 80

/** The whole plan, from what the store says (as Calico does). */
export function buildTunnels(input: TunnelInput): TunnelPlan {
  const ends = input.pools.some(({ encapsulation }) => encapsulation === 'vxlan') ? input.nodes.flatMap(vxlanEnd) : []
  const ways = waysOf(input)
  return {
    fdb: ends.map(({ fdb }) => fdb),
    neighbors: ends.map(({ neighbor }) => neighbor),
    routes: ways.flatMap(({ route }) => route ?? []),
    carried: input.pools
      .filter((pool) => ways.every((way) => way.pool !== pool || way.route !== undefined))
      .map(({ cidr }) => formatCidr(cidr))
      .sort(),
  }
}

interface Way {
  readonly pool: EncapsulatedPool
  /** undefined: the node is not ready to receive. */
  readonly route: Route | undefined
}

function waysOf({ local, nodes, pools, placements }: TunnelInput): Way[] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  return placements
    .filter(({ node }) => node !== local.name)
    .flatMap((placement) => {
      const prefix = parseCidr(placement.prefix)
      const pool = pools.find(({ cidr }) => cidrCovers(cidr, prefix))
      const target = byName.get(placement.node)
      // A node that is gone gets nothing, and is not waited for.
      if (pool === undefined || target === undefined) return []
      return [{ pool, route: routeTo(placement.prefix, target, { pool, local }) }]
    })
}

function routeTo(
  destination: string,
  target: TunnelNode,
  { pool, local }: { pool: EncapsulatedPool; local: TunnelInput['local'] },
): Route | undefined {
  const common = { family: 4, destination, protocol: tunnelRouteProtocol } as const
  if (pool.isCrossSubnet && local.device !== undefined && isNearby(local, target)) {
    return { ...common, gateway: target.address, device: local.device }
  }
  const gateway = pool.encapsulation === 'vxlan' ? target.vxlan?.address : target.ipip && target.address
  const device = tunnelDevices[pool.encapsulation]
  return gateway === undefined ? undefined : { ...common, gateway, device, onlink: true }
}

/** By the length of our own prefix, as in Calico: a node with a /32 is near to nobody. */
function isNearby({ address, prefixLength }: TunnelNode, other: TunnelNode): boolean {
  return prefixLength < 32 && cidrContains(cidrOf(address, prefixLength), other.address)
}

function vxlanEnd({ vxlan, address }: TunnelNode): { fdb: FdbEntry; neighbor: Neighbor }[] {
  if (vxlan === undefined) return []
  const device = tunnelDevices.vxlan
  return [
    {
      fdb: { device, mac: vxlan.mac, destination: address },
      neighbor: { family: 4, address: vxlan.address, device, mac: vxlan.mac, isPermanent: true },
    },
  ]
}
