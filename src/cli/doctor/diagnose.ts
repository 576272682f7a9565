import type { EventResource, NodeResource } from '../../kube/resources/core.ts'
import type { BgpNode } from '../../networks/routed/bgp/bgp-node.ts'
import { findMistakes } from '../../networks/routed/bgp/find-mistakes.ts'
import { bgpNodesOf, isMeshOn, type Topology } from '../../networks/routed/bgp/migration/topology.ts'
import type { PeerProblem, SelectedPeers } from '../../networks/routed/bgp/select-peers.ts'
import { findShortages } from '../../networks/routed/cluster/find-shortages.ts'
import type { IPPool } from '../../networks/routed/resources.ts'
import { nodeAnnotations } from '../../networks/routed/virtual-node.ts'

/** What the doctor says of one thing. */
export interface Finding {
  /** e.g. `node work01` */
  readonly about: string
  readonly isProblem: boolean
  readonly text: string
}

export interface ClusterFacts {
  readonly topology: Topology
  /** What each node selects of the BGPPeers, by its name. */
  readonly selected: ReadonlyMap<string, SelectedPeers>
  readonly pools: readonly IPPool[]
  /** Of nodes, as long as the API keeps them. */
  readonly events: readonly EventResource[]
  /** What is missing of a node's sessions, by its name; empty: nothing. Absent: nobody asked. */
  readonly sessions: ReadonlyMap<string, string>
}

/**
 * Everything that can be told of the routed network from the API: which address each node has and why, what works and is
 * hardly meant, and what does not work. Pure.
 */
export function diagnose(facts: ClusterFacts): Finding[] {
  const bgpNodes = bgpNodesOf(facts.topology)
  const ofNodes = facts.topology.nodes.flatMap((node) => ofNode(node, bgpNodes, facts))
  return [...ofNodes, ...ofPeers(facts), ...ofPools(facts)]
}

function ofNode(node: NodeResource, bgpNodes: readonly BgpNode[], facts: ClusterFacts): Finding[] {
  const { name } = node.metadata
  const find = (isProblem: boolean) => (text: string) => ({ about: `node ${name}`, isProblem, text })
  const missing = facts.sessions.get(name) ?? ''
  return [
    ...addressOf(node, facts).map(find(false)),
    ...(hasAddress(node) ? [] : ['has no BGP address: its agent has not run, or has found none']).map(find(true)),
    ...messagesOf(facts.events, name, 'NodeAddressInDoubt').map(find(true)),
    ...mistakesOf(name, bgpNodes, facts).map(find(true)),
    ...(missing === '' ? [] : [missing]).map(find(true)),
  ]
}

/** The agent's own words, as long as the API keeps them; else what it has written. */
function addressOf(node: NodeResource, { events }: ClusterFacts): string[] {
  const { name, annotations = {} } = node.metadata
  const told = messagesOf(events, name, 'NodeAddress')
  const written = [annotations[nodeAnnotations.ipv4Address], annotations[nodeAnnotations.ipv6Address]]
  return written
    .flatMap((address) => address ?? [])
    .map((address) => {
      const words = told.findLast((text) => text.includes(`${address} `))
      return words ?? `BGP uses ${address}; why is in the log of its agent ("this node's BGP address")`
    })
}

function hasAddress({ metadata: { annotations = {} } }: NodeResource): boolean {
  return [nodeAnnotations.ipv4Address, nodeAnnotations.ipv6Address].some((key) => annotations[key] !== undefined)
}

/** What was said of the node for this reason, the newest last. */
function messagesOf(events: readonly EventResource[], node: string, reason: string): string[] {
  const own = events.filter((event) => event.involvedObject.name === node && event.reason === reason)
  const ordered = [...own].sort((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? ''))
  return [...new Set(ordered.flatMap(({ message }) => message ?? []))]
}

function mistakesOf(name: string, nodes: readonly BgpNode[], { topology, selected }: ClusterFacts): string[] {
  const local = nodes.find((node) => node.name === name)
  const sessions = selected.get(name)?.sessions ?? []
  return local === undefined ? [] : findMistakes({ local, nodes, sessions, isMeshEnabled: isMeshOn(topology) })
}

/** Most nodes find the same wrong with a BGPPeer. */
function ofPeers({ selected }: ClusterFacts): Finding[] {
  const problems = [...selected.values()].flatMap((each): readonly PeerProblem[] => each.problems)
  const found = problems.map(({ peer, message }) => {
    return { about: `BGPPeer ${peer.metadata.name}`, isProblem: true, text: message }
  })
  return [...new Map(found.map((each) => [`${each.about} ${each.text}`, each])).values()]
}

function ofPools({ pools, topology }: ClusterFacts): Finding[] {
  return findShortages(pools, topology.nodes).map(({ pool, message }) => ({
    about: `IPPool ${pool.metadata.name}`,
    isProblem: true,
    text: message,
  }))
}
