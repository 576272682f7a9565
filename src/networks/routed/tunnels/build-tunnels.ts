import { cidrContains, cidrCovers, cidrOf, type Family, formatCidr, hostPrefixOf, parseCidr } from '../../../base/ip.ts'
import type { FdbEntry, Neighbor, Route } from '../../../kernel/kernel.ts'
import {
  type EncapsulatedPool,
  type Encapsulation,
  encapsulations,
  tunnelDevices,
  tunnelFamilies,
} from './encapsulation.ts'
import type { Placement } from './placements.ts'
import type { TunnelNode, Underlay } from './tunnel-node.ts'

export interface TunnelInput {
  readonly local: Pick<TunnelNode, 'name' | 'underlays'> & {
    /** The interface that holds the address of a family; unknown: nothing is sent directly. */
    readonly devices: Readonly<Partial<Record<Family, string | undefined>>>
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

/** Before BIRD's (32), as IPv4's, which have none. Without one an IPv6 route would come behind them, at 1024. */
const metric6 = 16

/** The whole plan, from what the store says (as Calico does). */
export function buildTunnels(input: TunnelInput): TunnelPlan {
  const ends = encapsulations
    .filter((kind) => input.pools.some(({ encapsulation }) => encapsulation === kind))
    .flatMap((kind) => input.nodes.flatMap((node) => vxlanEnd(node, kind)))
  const ways = waysOf(input)
  const links = ends.flatMap(({ link }) => link ?? [])
  const linked = new Set(links.map(({ destination }) => destination))
  return {
    fdb: ends.map(({ fdb }) => fdb),
    neighbors: ends.map(({ neighbor }) => neighbor),
    // A far end whose address is borrowed has its way already.
    routes: [...links, ...ways.flatMap(({ route }) => (route && !linked.has(route.destination) ? [route] : []))],
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
  const { encapsulation, isCrossSubnet } = pool
  const family = tunnelFamilies[encapsulation]
  const metric = family === 4 ? {} : { metric: metric6 }
  const common = { family, destination, protocol: tunnelRouteProtocol, ...metric }
  const [own, underlay, direct] = [local.underlays[family], target.underlays[family], local.devices[family]]
  if (underlay === undefined) return undefined
  if (isCrossSubnet && direct !== undefined && own !== undefined && isNearby(own, underlay)) {
    return { ...common, gateway: underlay.address, device: direct }
  }
  const end = target.ends[encapsulation]
  if (end === undefined) return undefined
  const gateway = encapsulation === 'ipip' ? underlay.address : end.address
  return { ...common, gateway, device: tunnelDevices[encapsulation], onlink: true }
}

/** By the length of our own prefix, as in Calico: a node with a /32 or /128 is near to nobody. */
function isNearby({ address, prefixLength }: Underlay, other: Underlay): boolean {
  const { family } = cidrOf(address, prefixLength)
  return prefixLength < (family === 4 ? 32 : 128) && cidrContains(cidrOf(address, prefixLength), other.address)
}

interface VxlanEnd {
  readonly fdb: FdbEntry
  readonly neighbor: Neighbor
  /** For IPv6, which accepts a gateway only where no other route leads to it through another device (BIRD's may). */
  readonly link: Route | undefined
}

/** Of VXLAN only. */
function vxlanEnd({ ends, underlays }: TunnelNode, kind: Encapsulation): VxlanEnd[] {
  const family = tunnelFamilies[kind]
  const [end, underlay] = [ends[kind], underlays[family]]
  if (end?.mac === undefined || underlay === undefined) return []
  const device = tunnelDevices[kind]
  const link = {
    family,
    destination: hostPrefixOf(end.address),
    device,
    protocol: tunnelRouteProtocol,
    metric: metric6,
  }
  return [
    {
      fdb: { device, mac: end.mac, destination: underlay.address },
      neighbor: { family, address: end.address, device, mac: end.mac, isPermanent: true },
      link: family === 6 ? link : undefined,
    },
  ]
}
