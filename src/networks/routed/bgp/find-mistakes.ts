import type { BgpNode } from './bgp-node.ts'
import type { BgpSession } from './select-peers.ts'

export interface MistakeInput {
  readonly local: BgpNode
  readonly nodes: readonly BgpNode[]
  readonly sessions: readonly BgpSession[]
  readonly isMeshEnabled: boolean
}

/**
 * What is allowed and yet hardly meant, one sentence each with the way out. Calico says nothing to any of these, and its
 * readiness passes.
 */
export function findMistakes(input: MistakeInput): string[] {
  return [...findIsolation(input), ...findOddities(input)]
}

/** What works, but hardly as it is meant. */
export function findOddities(input: MistakeInput): string[] {
  return externalByAccident(input)
}

/** Why the local node cannot learn the routes of others: pods on it do not reach pods on them. */
export function findIsolation(input: MistakeInput): string[] {
  return [...sameAddress(input), ...withoutSessions(input), ...withoutReflector(input)]
}

/** Calico's node exits, and two nodes that have swapped their addresses wait for one another for ever. */
function sameAddress({ local, nodes }: MistakeInput): string[] {
  return Object.values(local.addresses).flatMap((address) => {
    const others = nodes.filter(
      ({ name, addresses }) => name !== local.name && Object.values(addresses).includes(address),
    )
    if (others.length === 0) return []
    return [
      `node ${local.name} has the BGP address ${address} of ${namesOf(others)} too: give each its own, or delete the Node that is gone`,
    ]
  })
}

function withoutSessions({ local, nodes, sessions, isMeshEnabled }: MistakeInput): string[] {
  const isAlone = nodes.every(({ name }) => name === local.name)
  if (sessions.length > 0 || isAlone) return []
  if (local.routeReflectorClusterId !== undefined) {
    return [
      `node ${local.name} has the cluster ID ${local.routeReflectorClusterId}, so it is not part of the mesh, and no BGPPeer gives it a session: create a BGPPeer whose peerSelector selects it, or remove its routeReflectorClusterID`,
    ]
  }
  const reason = isMeshEnabled ? 'all others are route reflectors' : 'the mesh is off'
  return [
    `node ${local.name} has no BGP session at all: ${reason}, and no BGPPeer selects it: create a BGPPeer for it, or turn nodeToNodeMeshEnabled on`,
  ]
}

/**
 * Over iBGP only a reflector passes routes on. A router outside, or a node of another AS, may do so, too: of them
 * nothing is said.
 */
function withoutReflector({ local, nodes, sessions }: MistakeInput): string[] {
  const byAddress = nodesByAddress(nodes)
  const peers = sessions.flatMap(({ address }) => byAddress.get(address) ?? [])
  const isKnown = sessions.length > 0 && peers.length === sessions.length
  const isInternal = sessions.every(({ asNumber }) => asNumber === local.asNumber)
  const reflects = [local, ...peers].some(({ routeReflectorClusterId }) => routeReflectorClusterId !== undefined)
  if (!isKnown || !isInternal || reflects) return []
  const reached = new Set([local, ...peers].map(({ name }) => name))
  const missing = nodes.filter((node) => !reached.has(node.name) && couldPeer(local, node))
  if (missing.length === 0) return []
  return [
    `node ${local.name} learns no routes of ${namesOf(missing)}: none of its peers (${namesOf(peers)}) has a routeReflectorClusterID, so none reflects: give them one, or have this node peer with every other`,
  ]
}

/** A reflector that is not reached says so itself. */
function couldPeer(local: BgpNode, { addresses, routeReflectorClusterId }: BgpNode): boolean {
  if (routeReflectorClusterId !== undefined) return false
  return ([4, 6] as const).some((family) => {
    const [own, other] = [local.addresses[family], addresses[family]]
    return own !== undefined && other !== undefined && own !== other
  })
}

function nodesByAddress(nodes: readonly BgpNode[]): Map<string, BgpNode> {
  return new Map(nodes.flatMap((node) => Object.values(node.addresses).map((address) => [address, node])))
}

function namesOf(nodes: readonly BgpNode[]): string {
  const names = [...new Set(nodes.map(({ name }) => name))]
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
}

/** Between nodes of one cluster an eBGP session is a choice that is made for all of them, or a mistake in one. */
function externalByAccident({ local, nodes, sessions }: MistakeInput): string[] {
  const external = sessions.filter(({ asNumber }) => asNumber !== local.asNumber)
  if (external.length === 0) return []
  const byAddress = nodesByAddress(nodes)
  return external.flatMap(({ address, asNumber }) => {
    const node = byAddress.get(address)
    if (node === undefined || !isAccident(local, node, nodes)) return []
    return [
      `the session with node ${node.name} is eBGP, because its AS number is ${asNumber} and ours is ${local.asNumber}: give both the same asNumber, or leave it out on both`,
    ]
  })
}

/** One of the two has a number of its own and the other the cluster's, or is the only node with its number. */
function isAccident(local: BgpNode, other: BgpNode, nodes: readonly BgpNode[]): boolean {
  if ((local.hasOwnAsNumber ?? false) !== (other.hasOwnAsNumber ?? false)) return true
  const count = (asNumber: number): number => nodes.filter((node) => node.asNumber === asNumber).length
  const isOneOfTwo = new Set(nodes.map(({ asNumber }) => asNumber)).size === 2
  return isOneOfTwo && nodes.length > 2 && (count(local.asNumber) === 1 || count(other.asNumber) === 1)
}
