import { cidrContains, familyOf, parseCidr } from '../../../../base/ip.ts'
import type { CalicoNodeStatusReport, PeerReport, RouteReport } from '../../resources.ts'
import type { BgpSession } from '../select-peers.ts'

/** A block and the node that announces it. */
export interface OwnedBlock {
  readonly cidr: string
  readonly owner: string
}

/** What is looked at: only nodes that are in `reports` are. */
export interface Observation {
  /** Of each node. */
  readonly addresses: ReadonlyMap<string, readonly string[]>
  /** The sessions that each node shall have. */
  readonly sessions: ReadonlyMap<string, readonly BgpSession[]>
  readonly reports: ReadonlyMap<string, CalicoNodeStatusReport>
  readonly blocks: readonly OwnedBlock[]
}

/**
 * What keeps a topology from being complete, one sentence each: sessions that are not established or should be gone,
 * blocks that a node does not know, or does not know from every peer of `through`, by way of their owner or of a router. A peer of `through` that is a node
 * tells nothing of itself to itself, and other reflectors may hold back what they know of its clients.
 */
export function findShortfalls(observation: Observation, through: readonly string[]): string[] {
  const { addresses, sessions, reports } = observation
  return [...reports].flatMap(([node, report]) => {
    const isThrough = through.some((address) => addresses.get(node)?.includes(address))
    return [
      ...sessionShortfalls(node, sessions.get(node) ?? [], report),
      ...routeShortfalls(node, observation, isThrough ? [] : through),
    ]
  })
}

const reportedTypes = { mesh: 'NodeMesh', node: 'NodePeer', global: 'GlobalPeer' } as const

function sessionShortfalls(node: string, wanted: readonly BgpSession[], report: CalicoNodeStatusReport): string[] {
  const keys = new Set(wanted.map(keyOfSession))
  const extra = peersOf(report).filter((peer) => !keys.has(keyOf(peer)))
  return [
    ...findMissingSessions(wanted, report).map((problem) => `${node}: ${problem}`),
    ...extra.map(({ peerIP }) => `${node}: the old session with ${peerIP} is still there`),
  ]
}

/** Which sessions of a node are not established, and why. */
export function findMissingSessions(wanted: readonly BgpSession[], report: CalicoNodeStatusReport): string[] {
  const found = new Map(peersOf(report).map((peer) => [keyOf(peer), peer]))
  return wanted.flatMap((session) => {
    const peer = found.get(keyOfSession(session))
    if (peer?.state === 'Established') return []
    const why = peer?.lastError === undefined ? '' : ` (${peer.lastError})`
    return [`the session with ${session.address} is ${peer?.state ?? 'not there yet'}${why}`]
  })
}

function keyOfSession({ address, kind }: BgpSession): string {
  return keyOf({ peerIP: address, type: reportedTypes[kind] })
}

function routeShortfalls(node: string, observation: Observation, through: readonly string[]): string[] {
  const { blocks, reports } = observation
  const known = learned(reports.get(node))
  return blocks
    .filter(({ owner }) => owner !== node && reports.has(owner))
    .flatMap((block) => {
      const from = known.get(block.cidr)
      if (from === undefined) return [`${node}: no peer announces ${block.cidr} of ${block.owner}`]
      return through
        .filter((address) => familyOf(address) === parseCidr(block.cidr).family)
        .flatMap((address) => announcementProblem({ node, address, block, from, observation }))
    })
}

/** A router that all nodes tell of all blocks may lead traffic to the wrong node. */
function announcementProblem(input: {
  node: string
  address: string
  block: OwnedBlock
  from: Announcers
  observation: Observation
}): string[] {
  const { node, address, block, from, observation } = input
  const what = `${block.cidr} of ${block.owner}`
  if (!from.has(address)) return [`${node}: ${address} does not announce ${what}`]
  const gateway = from.get(address) ?? ''
  const other = [...observation.addresses].find(
    ([name, addresses]) => name !== block.owner && addresses.includes(gateway),
  )
  return other === undefined ? [] : [`${node}: ${address} leads ${what} to ${other[0]}`]
}

/**
 * Destinations inside `pools` that a node knows only from peers that it will have no session with: they would be lost.
 * What is known from a peer whose session is only made anew is held meanwhile.
 */
export function findUncovered(
  after: ReadonlyMap<string, readonly BgpSession[]>,
  reports: ReadonlyMap<string, CalicoNodeStatusReport>,
  pools: readonly string[],
): string[] {
  const isOfPool = insideAny(pools)
  return [...reports].flatMap(([node, report]) => {
    const kept = new Set((after.get(node) ?? []).map(({ address }) => address))
    return [...learned(report)]
      .filter(([destination]) => isOfPool(destination))
      .filter(([, from]) => [...from.keys()].every((address) => !kept.has(address)))
      .map(([destination, from]) => `${node}: ${destination} is known only from ${[...from.keys()].join(', ')}`)
  })
}

/** Destinations inside `pools` that a node knows from peers and does not hold as a static route of its own. */
export function findUnheld(reports: ReadonlyMap<string, CalicoNodeStatusReport>, pools: readonly string[]): string[] {
  const isOfPool = insideAny(pools)
  return [...reports].flatMap(([node, report]) => {
    const held = routesOf(report).filter(({ learnedFrom }) => learnedFrom.sourceType === 'Static')
    const known = new Set(held.map(({ destination }) => destination))
    return [...learned(report).keys()]
      .filter((destination) => isOfPool(destination) && !known.has(destination))
      .map((destination) => `${node}: ${destination} is not held`)
  })
}

function insideAny(pools: readonly string[]): (destination: string) => boolean {
  const cidrs = pools.map((pool) => parseCidr(pool))
  return (destination) => cidrs.some((cidr) => cidrContains(cidr, destination.split('/')[0] ?? ''))
}

function routesOf({ routes }: CalicoNodeStatusReport): RouteReport[] {
  return [...(routes?.routesV4 ?? []), ...(routes?.routesV6 ?? [])]
}

function peersOf({ bgp }: CalicoNodeStatusReport): PeerReport[] {
  return [...(bgp?.peersV4 ?? []), ...(bgp?.peersV6 ?? [])]
}

function keyOf({ peerIP, type }: Pick<PeerReport, 'peerIP' | 'type'>): string {
  return `${type} ${peerIP}`
}

/** Addresses of the peers that announce a destination, each with the next hop. */
type Announcers = ReadonlyMap<string, string | undefined>

/** Destinations for which an announcement is in use, each with all peers that announce it. */
function learned(report: CalicoNodeStatusReport | undefined): Map<string, Announcers> {
  const found = new Map<string, Map<string, string | undefined>>()
  const routes = report === undefined ? [] : routesOf(report)
  const isUsed = ({ type, learnedFrom }: RouteReport): boolean => type === 'FIB' && learnedFrom.peerIP !== undefined
  const used = new Set(routes.filter(isUsed).map(({ destination }) => destination))
  for (const { destination, gateway, learnedFrom } of routes) {
    if (learnedFrom.peerIP === undefined || !used.has(destination)) continue
    const from = found.get(destination) ?? new Map()
    found.set(destination, from.set(learnedFrom.peerIP, gateway))
  }
  return found
}
