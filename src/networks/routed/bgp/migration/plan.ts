import { TwinlaneError } from '../../../../base/errors.ts'
import { isAddress } from '../../../../base/ip.ts'
import type { BGPPeer } from '../../resources.ts'
import { matchesSelector, parseSelector, SelectorError } from '../../selector.ts'
import { isClusterId, nodeAnnotations } from '../../virtual-node.ts'
import type { BgpNode } from '../bgp-node.ts'
import {
  applyChange,
  bgpNodesOf,
  type Change,
  isMeshOn,
  type NodeChange,
  type PeerContent,
  type Topology,
} from './topology.ts'

/** Where a migration leads. */
export type MigrationTarget =
  | { readonly to: 'mesh' }
  | {
      readonly to: 'route-reflectors'
      /** Names of the nodes that reflect. */
      readonly reflectors: readonly string[]
      /** One for all of them. @default each its own IPv4 address */
      readonly clusterId?: string
    }
  | { readonly to: 'tor'; readonly peerIPs: readonly string[]; readonly asNumber: number }

/** Writes that belong together. What each step leaves behind works by itself. */
export interface MigrationStep {
  readonly title: string
  readonly changes: readonly Change[]
  /** Peers that must have announced every block of the others to every node when the step is done. */
  readonly through: readonly string[]
}

/** A migration that cannot be, or did not work. */
export class MigrationError extends TwinlaneError {}

/**
 * Nodes of one AS get each other's routes back with their own AS in the path, and have to take them. As long as the
 * mesh is there every node tells the router of every block: the next hop must be the node that has it.
 */
const externalOptions = { numAllowedLocalASNumbers: 1, keepOriginalNextHop: true }

export const reflectorLabel = 'route-reflector'

/** On BGPPeers that a migration made: which target they are for, so that a later one knows what it may remove. */
export const topologyLabel = 'twinlane.io/bgp-topology'

/**
 * The steps from what there is to the target: first everything that is new, then what goes; none if all is as it shall
 * be. Sessions to routers outside that no migration made are left alone. Throws MigrationError.
 */
export function planMigration(topology: Topology, target: MigrationTarget): MigrationStep[] {
  const plan = new Plan(topology)
  if (target.to === 'mesh') {
    plan.setMesh(true)
    plan.removeReflectors([])
    plan.removeRouters([])
  }
  if (target.to === 'route-reflectors') {
    const reflectors = plan.addReflectors(target.reflectors, target.clusterId)
    plan.setMesh(false, reflectors)
    plan.removeReflectors(target.reflectors, reflectors)
    plan.removeRouters([])
  }
  if (target.to === 'tor') {
    plan.addRouters(target.peerIPs, target.asNumber)
    plan.setMesh(false, target.peerIPs)
    plan.removeReflectors([], target.peerIPs)
    plan.removeRouters(target.peerIPs)
  }
  return plan.steps
}

class Plan {
  readonly steps: MigrationStep[] = []
  #topology: Topology

  constructor(topology: Topology) {
    this.#topology = topology
  }

  setMesh(isOn: boolean, through: readonly string[] = []): void {
    if (isMeshOn(this.#topology) === isOn) return
    const cluster = this.#topology.configurations.find(({ metadata }) => metadata.name === 'default')
    const before = cluster?.spec?.nodeToNodeMeshEnabled ?? null
    this.#add(`turn the node-to-node mesh ${isOn ? 'on' : 'off'}`, [{ kind: 'mesh', before, after: isOn }], through)
  }

  /** Returns the addresses of the reflectors. One node at a time: the others keep their sessions meanwhile. */
  addReflectors(names: readonly string[], clusterId: string | undefined): string[] {
    if (names.length === 0) throw new MigrationError('no node is named as a route reflector')
    if (clusterId !== undefined && !isClusterId(clusterId)) {
      throw new MigrationError(`"${clusterId}" is no cluster ID`, { fix: 'write it as an IPv4 address, e.g. 10.0.0.1' })
    }
    const reflectors = names.map((name) => this.#node(name))
    this.#addReflectorPeer(names)
    const through: string[] = []
    for (const node of reflectors) {
      through.push(addressOf(node))
      this.#changeNode(node.name, `make ${node.name} a route reflector`, reflectorFields(node, clusterId), [...through])
    }
    return through
  }

  /** Every node that reflects and is not named here. */
  removeReflectors(kept: readonly string[], through: readonly string[] = []): void {
    const reflectors = bgpNodesOf(this.#topology).filter((node) => node.routeReflectorClusterId !== undefined)
    const gone = reflectors.filter(({ name }) => !kept.includes(name))
    const peers = this.#topology.peers.filter((peer) => selectsOnly(peer, reflectors, this.#topology))
    const useless = peers.filter((peer) => selectsOnly(peer, gone, this.#topology))
    const labels = peers.flatMap(({ spec }) => simpleLabel(spec.peerSelector))
    const fields = {
      labels: Object.fromEntries(labels.map((label) => [label, null])),
      annotations: { [nodeAnnotations.routeReflectorClusterId]: null },
    }
    for (const { name } of gone) this.#changeNode(name, `make ${name} an ordinary node`, fields, through)
    for (const peer of useless) this.#removePeer(peer, through)
  }

  addRouters(peerIPs: readonly string[], asNumber: number): void {
    if (peerIPs.length === 0) throw new MigrationError('no address of a ToR router is given')
    for (const peerIP of peerIPs) {
      if (!isAddress(peerIP)) throw new MigrationError(`"${peerIP}" is no address of a router`)
      if (this.#topology.peers.some(({ spec }) => isGlobalTo(spec, peerIP, asNumber))) continue
      const isExternal = bgpNodesOf(this.#topology).some((node) => node.asNumber !== asNumber)
      const spec = { peerIP, asNumber, ...(isExternal ? externalOptions : {}) }
      this.#addPeer(
        `tor-${peerIP.replaceAll(/[.:]+/g, '-')}`,
        { labels: { [topologyLabel]: 'tor' }, spec },
        {
          title: `every node peers with the router ${peerIP} of AS ${asNumber}`,
          through: [peerIP],
        },
      )
    }
  }

  /** Routers that an earlier migration made sessions with. */
  removeRouters(kept: readonly string[]): void {
    for (const peer of this.#topology.peers) {
      const isOurs = peer.metadata.labels?.[topologyLabel] === 'tor'
      if (isOurs && !kept.includes(peer.spec.peerIP ?? '')) this.#removePeer(peer, [])
    }
  }

  /** Not if a BGPPeer there selects all of them as peers of every node, once they are labelled. */
  #addReflectorPeer(names: readonly string[]): void {
    const labelled = bgpNodesOf(this.#topology).map((node) =>
      names.includes(node.name) ? { ...node, labels: { ...node.labels, [reflectorLabel]: 'true' } } : node,
    )
    const isEnough = this.#topology.peers.some(({ spec }) => {
      const remotes = selectedBy(spec.peerSelector, labelled)
      const locals = isBlank(spec.node) ? selectedBy(spec.nodeSelector ?? 'all()', labelled) : []
      return (
        remotes !== undefined && names.every((name) => remotes.includes(name)) && locals?.length === labelled.length
      )
    })
    if (isEnough) return
    const content = {
      labels: { [topologyLabel]: 'route-reflectors' },
      spec: { nodeSelector: 'all()', peerSelector: `${reflectorLabel} == 'true'` },
    }
    this.#addPeer('route-reflectors', content, {
      title: `every node will peer with the nodes that are labelled ${reflectorLabel}=true`,
      through: [],
    })
  }

  #addPeer(name: string, after: PeerContent, { title, through }: { title: string; through: readonly string[] }): void {
    if (this.#topology.peers.some(({ metadata }) => metadata.name === name)) {
      throw new MigrationError(`there is a BGPPeer ${name} that does something else`, {
        fix: `rename or delete it: twinlane delete bgppeer ${name}`,
      })
    }
    this.#add(title, [{ kind: 'peer', name, before: null, after }], through)
  }

  #removePeer({ metadata, spec }: BGPPeer, through: readonly string[]): void {
    const { name, labels, annotations } = metadata
    const before = { ...(labels && { labels }), ...(annotations && { annotations }), spec }
    this.#add(`delete the BGPPeer ${name}`, [{ kind: 'peer', name, before, after: null }], through)
  }

  #changeNode(name: string, title: string, after: NodeChange['after'], through: readonly string[]): void {
    const { metadata } = this.#topology.nodes.find((node) => node.metadata.name === name) ?? { metadata: { name } }
    const before = {
      labels: presentValues(metadata.labels, after.labels),
      annotations: presentValues(metadata.annotations, after.annotations),
    }
    if (JSON.stringify(before) === JSON.stringify(after)) return
    this.#add(title, [{ kind: 'node', name, before, after }], through)
  }

  #add(title: string, changes: readonly Change[], through: readonly string[]): void {
    this.steps.push({ title, changes, through })
    for (const change of changes) this.#topology = applyChange(this.#topology, change)
  }

  #node(name: string): BgpNode {
    const nodes = bgpNodesOf(this.#topology)
    const found = nodes.find((node) => node.name === name)
    if (found !== undefined) return found
    throw new MigrationError(`there is no node ${name} that takes part in BGP`, {
      fix: `name one of ${nodes.map((node) => node.name).join(', ')}`,
    })
  }
}

function reflectorFields(node: BgpNode, clusterId: string | undefined): NodeChange['after'] {
  // A cluster ID that is there is somebody's choice, unless another is asked for.
  const id = clusterId ?? node.routeReflectorClusterId ?? node.addresses[4]
  if (id === undefined) {
    throw new MigrationError(`node ${node.name} has no IPv4 address that could be its cluster ID`, {
      fix: 'choose one with --cluster-id',
    })
  }
  return {
    labels: { [reflectorLabel]: 'true' },
    annotations: { [nodeAnnotations.routeReflectorClusterId]: id },
  }
}

function addressOf({ addresses }: BgpNode): string {
  return addresses[4] ?? addresses[6] ?? ''
}

function presentValues(
  present: Record<string, string> = {},
  wanted: Readonly<Record<string, string | null>>,
): Record<string, string | null> {
  return Object.fromEntries(Object.keys(wanted).map((key) => [key, present[key] ?? null]))
}

/** Names of the nodes that a selector selects; undefined for a blank one or one that cannot be read. */
function selectedBy(text: string | undefined, nodes: readonly BgpNode[]): string[] | undefined {
  if (isBlank(text)) return undefined
  try {
    const selector = parseSelector(text ?? '')
    return nodes.filter(({ labels }) => matchesSelector(selector, labels)).map(({ name }) => name)
  } catch (error) {
    if (error instanceof SelectorError) return undefined
    throw error
  }
}

/** The BGPPeer is there for these nodes alone: it has no use without them. */
function selectsOnly({ spec }: BGPPeer, nodes: readonly BgpNode[], topology: Topology): boolean {
  const selected = selectedBy(spec.peerSelector, bgpNodesOf(topology)) ?? []
  return selected.length > 0 && selected.every((name) => nodes.some((node) => node.name === name))
}

/** The label of `label == 'value'`. A node loses it together with its cluster ID, so that it is never half of both. */
function simpleLabel(selector: string | undefined): string[] {
  const label = /^\s*([\w./-]+)\s*==\s*(?:'[^']*'|"[^"]*")\s*$/.exec(selector ?? '')?.[1]
  return label === undefined ? [] : [label]
}

function isGlobalTo(spec: BGPPeer['spec'], peerIP: string, asNumber: number): boolean {
  return spec.peerIP === peerIP && spec.asNumber === asNumber && isBlank(spec.node) && isBlank(spec.nodeSelector)
}

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === ''
}
