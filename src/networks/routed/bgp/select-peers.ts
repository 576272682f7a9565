import { cidrContains, cidrOf, familyOf, isAddress } from '../../../base/ip.ts'
import type { BGPPeer, BGPPeerSpec } from '../resources.ts'
import { matchesSelector, parseSelector, SelectorError } from '../selector.ts'
import type { BgpNode } from './bgp-node.ts'
import { defaultBgpPort, type MeshSettings } from './bgp-settings.ts'

/** One BGP session of the local node. */
export interface BgpSession {
  readonly kind: 'mesh' | 'global' | 'node'
  readonly address: string
  readonly port: number
  readonly asNumber: number
  /** Waits for the other side to open the connection. */
  readonly isPassive: boolean
  readonly isRouteReflectorClient: boolean
  /** BFD watches it, and the peer is in the subnet of the node's address. */
  readonly isOnLink?: boolean
  /** The peer's node name, or the name of the BGPPeer. */
  readonly description: string
  readonly options: SessionOptions
}

export interface SessionOptions extends MeshSettings {
  readonly allowedLocalAsNumbers?: number
  readonly ttlSecurityHops?: number
  readonly nextHop?: 'self' | 'keep'
  readonly reachableBy?: string
  /** The session is opened from whatever address the routing table says. */
  readonly isFromAnyAddress?: boolean
  readonly localAsNumber?: number
  /** Names of BGPFilters. */
  readonly filters?: readonly string[]
}

export interface PeerProblem {
  readonly peer: BGPPeer
  readonly message: string
}

export interface SelectedPeers {
  readonly sessions: readonly BgpSession[]
  /** BGPPeers that cannot do what they say. */
  readonly problems: readonly PeerProblem[]
}

export interface PeerInput {
  readonly local: BgpNode
  /** All nodes, with or without the local one. */
  readonly nodes: readonly BgpNode[]
  readonly peers: readonly BGPPeer[]
  readonly isMeshEnabled: boolean
  readonly mesh: MeshSettings
  /** AS number of a peerIP without one. */
  readonly clusterAsNumber: number
}

/**
 * The sessions that the local node shall have (as Calico does), in an order that does not depend on the input's. Two
 * nodes that both have both families have two sessions.
 */
export function selectPeers(input: PeerInput): SelectedPeers {
  const { local } = input
  if (addressesOf(local).length === 0) return { sessions: [], problems: [] }
  const peerings = [...input.peers].sort(byName).map((peer) => resolvePeering(peer, input))
  const problems = peerings.flatMap(({ peer, problem }) => (problem === undefined ? [] : [{ peer, message: problem }]))
  const global = firstOfEach(
    peerings.filter(({ isGlobal }) => isGlobal).flatMap((peering) => toRemotes(peering, local)),
  )
  const globalKeys = new Set(global.map(keyOf))
  const specific = firstOfEach([
    ...peerings.filter(({ isGlobal }) => !isGlobal).flatMap((peering) => toRemotes(peering, local)),
    ...peerings.flatMap((peering) => backToLocals(peering, local)),
  ]).filter((session) => !globalKeys.has(keyOf(session)))
  const chosen = new Set([...global, ...specific].map(keyOf))
  const mesh = meshSessions(input).filter((session) => !chosen.has(keyOf(session)))
  return { sessions: [...mesh, ...global, ...specific].sort(byKindAndAddress), problems }
}

/** Every other node of the mesh. Route reflectors have left it, on both sides. */
function meshSessions({ local, nodes, isMeshEnabled, mesh }: PeerInput): BgpSession[] {
  if (!isMeshEnabled || local.routeReflectorClusterId !== undefined) return []
  return nodes
    .filter(({ name, routeReflectorClusterId }) => name !== local.name && routeReflectorClusterId === undefined)
    .flatMap((node) => remotesOf(node).map((remote) => ({ node, remote })))
    .flatMap(({ node, remote }) => sessionTo(remote, { kind: 'mesh', local, description: node.name, options: mesh }))
}

interface Remote {
  readonly address: string
  readonly port: number
  readonly asNumber: number
  readonly node: BgpNode | undefined
}

/** A BGPPeer with both its sides worked out. */
interface Peering {
  readonly peer: BGPPeer
  readonly isGlobal: boolean
  readonly locals: readonly BgpNode[]
  readonly remotes: readonly Remote[]
  readonly problem: string | undefined
}

function resolvePeering(peer: BGPPeer, input: PeerInput): Peering {
  const { node, nodeSelector, peerSelector } = peer.spec
  const isGlobal = isBlank(node) && isBlank(nodeSelector)
  try {
    const nodes = [...input.nodes.filter(({ name }) => name !== input.local.name), input.local]
    const locals = isGlobal ? nodes : nodes.filter(localMatch(peer.spec))
    const remotes = isBlank(peerSelector)
      ? [remoteAt(peer.spec, { ...input, nodes })]
      : select(nodes, peerSelector).flatMap(remotesOf)
    return { peer, isGlobal, locals, remotes, problem: sideProblem() }

    function sideProblem(): string | undefined {
      if (remotes.length === 0) return `peerSelector ${peerSelector} matches no node, so there is no session`
      if (locals.length > 0) return undefined
      const side = isBlank(node) ? `nodeSelector ${nodeSelector} matches no node` : `there is no node ${node}`
      return `${side}, so there is no session`
    }
  } catch (error) {
    if (!(error instanceof SelectorError) && !(error instanceof PeerAddressError)) throw error
    return { peer, isGlobal, locals: [], remotes: [], problem: error.message }
  }
}

export class PeerAddressError extends Error {}

function localMatch({ node, nodeSelector }: BGPPeerSpec): (candidate: BgpNode) => boolean {
  if (!isBlank(node)) return ({ name }) => name === node
  const selector = parseSelector(nodeSelector ?? '')
  return ({ labels }) => matchesSelector(selector, labels)
}

function select(nodes: readonly BgpNode[], text: string | undefined): BgpNode[] {
  const selector = parseSelector(text ?? '')
  return nodes.filter(({ labels }) => matchesSelector(selector, labels))
}

function remotesOf(node: BgpNode): Remote[] {
  const { listenPort: port, asNumber } = node
  return addressesOf(node).map((address) => ({ address, port, asNumber, node }))
}

function addressesOf({ addresses }: BgpNode): string[] {
  return ([4, 6] as const).flatMap((family) => addresses[family] ?? [])
}

/** The peer that peerIP names; one of our nodes if address, port and AS number are the node's. */
function remoteAt(spec: BGPPeerSpec, input: PeerInput): Remote {
  const { address, port } = splitPort(spec.peerIP ?? '')
  const asNumber = spec.asNumber ?? input.clusterAsNumber
  const node = input.nodes.find(
    (known) =>
      addressesOf(known).includes(address) &&
      known.asNumber === asNumber &&
      (port ?? known.listenPort) === known.listenPort,
  )
  return { address, port: port ?? node?.listenPort ?? defaultBgpPort, asNumber, node }
}

/** `10.0.0.1`, `10.0.0.1:178`, `fd00::1`, `[fd00::1]:178`. Throws PeerAddressError. */
export function splitPort(peerIP: string): { address: string; port: number | undefined } {
  const match = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(peerIP) ?? /^([\d.]+)(?::(\d{1,5}))?$/.exec(peerIP)
  const address = match?.[1] ?? peerIP
  const port = match?.[2] === undefined ? undefined : Number(match[2])
  if (isAddress(address) && (port === undefined || (port > 0 && port < 65_536))) return { address, port }
  throw new PeerAddressError(`peerIP "${peerIP}" is not an address, or an address with a port`)
}

/** Sessions of the local node because the BGPPeer selects it. */
function toRemotes({ peer, isGlobal, locals, remotes }: Peering, local: BgpNode): BgpSession[] {
  if (!locals.some(({ name }) => name === local.name)) return []
  const kind = isGlobal ? 'global' : 'node'
  return remotes.flatMap((remote) =>
    sessionTo(remote, { kind, local, description: peer.metadata.name, options: optionsOf(peer.spec) }),
  )
}

/**
 * Sessions of the local node because the BGPPeer makes others peer with it: without them one side would dial a peer
 * that knows nothing of it.
 */
function backToLocals({ peer, locals, remotes }: Peering, local: BgpNode): BgpSession[] {
  if (peer.spec.reversePeering === 'Manual') return []
  if (!remotes.some(({ node }) => node?.name === local.name)) return []
  return locals
    .flatMap(remotesOf)
    .flatMap((remote) =>
      sessionTo(remote, { kind: 'node', local, description: peer.metadata.name, options: optionsOf(peer.spec) }),
    )
}

function sessionTo(
  remote: Remote,
  from: { kind: BgpSession['kind']; local: BgpNode; description: string; options: SessionOptions },
): BgpSession[] {
  const { kind, local, description, options } = from
  const own = local.addresses[familyOf(remote.address)]
  if (own === undefined || remote.address === own) return []
  const { address, port, asNumber, node } = remote
  // Compared as text, as every Calico node does: both sides must come to opposite answers.
  const isPassive = kind !== 'node' && node !== undefined && address > own
  // Of thousands of sessions, only for those that it matters to.
  const isOnLink = options.failureDetectionMode === 'BFDIfDirectlyConnected' && areOnLink(local, own, remote)
  const isRouteReflectorClient = isClient(remote, local)
  return [
    {
      ...{ kind, address, port, asNumber, isPassive, isRouteReflectorClient },
      ...(isOnLink ? { isOnLink } : {}),
      ...{ description, options },
    },
  ]
}

/** Of two of our nodes both must see it so: BFD of one hop and of several do not understand each other. */
function areOnLink(local: BgpNode, own: string, { address, node }: Remote): boolean {
  return sees(local, address) && (node === undefined || sees(node, own))
}

/** The address lies in the subnet of the node. */
function sees({ addresses, prefixLengths }: BgpNode, address: string): boolean {
  const family = familyOf(address)
  const [own, length] = [addresses[family], prefixLengths?.[family]]
  return own !== undefined && length !== undefined && cidrContains(cidrOf(own, length, family), address)
}

/** With the same cluster ID both drop what the other has reflected, so they are no clients of each other. */
function isClient(remote: Remote, local: BgpNode): boolean {
  if (local.routeReflectorClusterId === undefined || remote.asNumber !== local.asNumber) return false
  return remote.node?.routeReflectorClusterId !== local.routeReflectorClusterId
}

function optionsOf(spec: BGPPeerSpec): SessionOptions {
  const options = {
    password: spec.password?.secretKeyRef,
    maxRestartTime: spec.maxRestartTime,
    failureDetectionMode: spec.failureDetectionMode,
    allowedLocalAsNumbers: spec.numAllowedLocalASNumbers,
    ttlSecurityHops: spec.ttlSecurity,
    nextHop: nextHopOf(spec),
    reachableBy: spec.reachableBy,
    isFromAnyAddress: spec.sourceAddress === 'None' ? true : undefined,
    localAsNumber: spec.localASNumber,
    filters: spec.filters,
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function nextHopOf({ nextHopMode = 'Auto', keepOriginalNextHop }: BGPPeerSpec): SessionOptions['nextHop'] {
  if (nextHopMode === 'Self') return 'self'
  return nextHopMode === 'Keep' || keepOriginalNextHop === true ? 'keep' : undefined
}

function firstOfEach(sessions: readonly BgpSession[]): BgpSession[] {
  const found = new Map<string, BgpSession>()
  for (const session of sessions) if (!found.has(keyOf(session))) found.set(keyOf(session), session)
  return [...found.values()]
}

function keyOf({ address, port }: BgpSession): string {
  return `${address}:${port}`
}

/** Made once: a comparison of thousands of addresses would make it thousands of times. */
const inNumericOrder = new Intl.Collator('en', { numeric: true }).compare

const kindOrder = { mesh: 0, global: 1, node: 2 }

function byKindAndAddress(a: BgpSession, b: BgpSession): number {
  if (a.kind !== b.kind) return kindOrder[a.kind] - kindOrder[b.kind]
  if (a.address === b.address) return a.port - b.port
  return inNumericOrder(a.address, b.address)
}

function byName(a: BGPPeer, b: BGPPeer): number {
  return a.metadata.name < b.metadata.name ? -1 : 1
}

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === ''
}
