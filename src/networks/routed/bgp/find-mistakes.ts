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
  return [...withoutSessions(input), ...externalByAccident(input)]
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

/** Between nodes of one cluster an eBGP session is a choice that is made for all of them, or a mistake in one. */
function externalByAccident({ local, nodes, sessions }: MistakeInput): string[] {
  const inAll = new Set(nodes.map(({ asNumber }) => asNumber))
  if (inAll.size !== 2) return []
  return sessions.flatMap(({ address, asNumber }) => {
    const node = nodes.find(({ addresses }) => Object.values(addresses).includes(address))
    if (node === undefined || asNumber === local.asNumber || !isOddOneOut(local, node, nodes)) return []
    return [
      `the session with node ${node.name} is eBGP, because its AS number is ${asNumber} and ours is ${local.asNumber}: give both the same asNumber, or leave it out on both`,
    ]
  })
}

/** One of the two is the only node with its AS number. */
function isOddOneOut(local: BgpNode, other: BgpNode, nodes: readonly BgpNode[]): boolean {
  const count = (asNumber: number): number => nodes.filter((node) => node.asNumber === asNumber).length
  return nodes.length > 2 && (count(local.asNumber) === 1 || count(other.asNumber) === 1)
}
