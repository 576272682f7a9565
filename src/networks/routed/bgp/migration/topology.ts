import type { NodeResource } from '../../../../kube/resources/core.ts'
import type { BGPConfiguration, BGPPeer, BGPPeerSpec } from '../../resources.ts'
import { type BgpNode, bgpNodeOf } from '../bgp-node.ts'
import { bgpSettings } from '../bgp-settings.ts'
import { type BgpSession, type SelectedPeers, selectPeers } from '../select-peers.ts'

/** Everything that decides who talks BGP to whom. */
export interface Topology {
  readonly nodes: readonly NodeResource[]
  readonly configurations: readonly BGPConfiguration[]
  readonly peers: readonly BGPPeer[]
}

/** One write, with what was there before: the other way round it is its own undo. */
export type Change = NodeChange | PeerChange | MeshChange

/** Labels and annotations of a node; null: there is none. */
export interface NodeChange {
  readonly kind: 'node'
  readonly name: string
  readonly before: NodeFields
  readonly after: NodeFields
}

export interface NodeFields {
  readonly labels: Readonly<Record<string, string | null>>
  readonly annotations: Readonly<Record<string, string | null>>
}

/** A BGPPeer; null: there is none. */
export interface PeerChange {
  readonly kind: 'peer'
  readonly name: string
  readonly before: PeerContent | null
  readonly after: PeerContent | null
}

export interface PeerContent {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec: BGPPeerSpec
}

/** nodeToNodeMeshEnabled of BGPConfiguration `default`; null: it is not said. */
export interface MeshChange {
  readonly kind: 'mesh'
  readonly before: boolean | null
  readonly after: boolean | null
}

export function invertChange(change: Change): Change {
  return { ...change, before: change.after, after: change.before } as Change
}

/** The topology as it will be after a change. */
export function applyChange(topology: Topology, change: Change): Topology {
  switch (change.kind) {
    case 'node':
      return { ...topology, nodes: topology.nodes.map((node) => changedNode(node, change)) }
    case 'peer':
      return { ...topology, peers: changedPeers(topology.peers, change) }
    case 'mesh':
      return { ...topology, configurations: changedConfigurations(topology.configurations, change) }
  }
}

function changedNode(node: NodeResource, { name, after }: NodeChange): NodeResource {
  if (node.metadata.name !== name) return node
  const { labels, annotations } = node.metadata
  return {
    ...node,
    metadata: {
      ...node.metadata,
      labels: merged(labels, after.labels),
      annotations: merged(annotations, after.annotations),
    },
  }
}

function merged(before: Record<string, string> = {}, change: Readonly<Record<string, string | null>>) {
  const entries = Object.entries({ ...before, ...change })
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null))
}

function changedPeers(peers: readonly BGPPeer[], { name, after }: PeerChange): BGPPeer[] {
  const others = peers.filter(({ metadata }) => metadata.name !== name)
  if (after === null) return others
  const { labels, annotations, spec } = after
  return [
    ...others,
    { metadata: { name, ...(labels && { labels }), ...(annotations && { annotations }) }, spec: { ...spec } },
  ]
}

function changedConfigurations(configurations: readonly BGPConfiguration[], { after }: MeshChange): BGPConfiguration[] {
  const found = configurations.find(({ metadata }) => metadata.name === 'default') ?? { metadata: { name: 'default' } }
  const { nodeToNodeMeshEnabled: _, ...rest } = found.spec ?? {}
  const spec = { ...rest, ...(after === null ? {} : { nodeToNodeMeshEnabled: after }) }
  return [...configurations.filter(({ metadata }) => metadata.name !== 'default'), { ...found, spec }]
}

/** Nodes that have an address, as BGP sees them. */
export function bgpNodesOf({ nodes, configurations }: Topology): BgpNode[] {
  return nodes
    .map((node) => bgpNodeOf(node, configurations))
    .filter(({ addresses }) => Object.keys(addresses).length > 0)
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}

/** The sessions of every node, by its name: what each agent works out for itself. */
export function sessionsOf(topology: Topology): Map<string, readonly BgpSession[]> {
  return new Map([...selectionsOf(topology)].map(([name, { sessions }]) => [name, sessions]))
}

/** The same with what is wrong with BGPPeers. */
export function selectionsOf(topology: Topology): Map<string, SelectedPeers> {
  const nodes = bgpNodesOf(topology)
  const { isMeshEnabled, mesh, asNumber: clusterAsNumber } = bgpSettings(topology.configurations, '')
  const input = { nodes, peers: topology.peers, isMeshEnabled, mesh, clusterAsNumber }
  return new Map(nodes.map((local) => [local.name, selectPeers({ ...input, local })]))
}

export function isMeshOn({ configurations }: Topology): boolean {
  return bgpSettings(configurations, '').isMeshEnabled
}
