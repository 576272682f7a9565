import type { KubeClient } from '../../../kube/api.ts'
import { isConflict, isNotFound } from '../../../kube/errors.ts'
import { type NodeResource, nodes as nodeType } from '../../../kube/resources/core.ts'
import { findChassisId, findGateway, findNodeNumber, findNodeSubnets, nodeAnnotation } from '../annotations.ts'
import { allocateByFamily, allocateNodeNumbers, type NodePool } from '../ipam/node-subnets.ts'
import { familiesOf, joinInterface } from '../topology/names.ts'
import type { NodeFacts } from '../topology/node.ts'

/** The cluster network's name in annotations. */
const network = 'default'

/** What a node's annotations must say, beside what they say already. */
export interface NodeAllocation {
  readonly node: NodeResource
  readonly annotations: Readonly<Record<string, string>>
}

/** Subnets and numbers of all nodes, those that are allocated already kept. Nodes for which no subnet of a family is left are absent. */
export function allocateNodes(
  nodes: readonly NodeResource[],
  { nodePools }: { readonly nodePools: readonly NodePool[] },
): NodeAllocation[] {
  const ordered = inAllocationOrder(nodes)
  const claims = ordered.map((node) => ({
    node: node.metadata.name,
    subnets: findNodeSubnets(node, network),
    number: findNodeNumber(node),
  }))
  const families = familiesOf(nodePools.map(({ cidr }) => cidr))
  const subnets = allocateByFamily(nodePools, claims)
  const numbers = allocateNodeNumbers(claims)
  return ordered.flatMap((node) => {
    const [own = [], number] = [subnets.get(node.metadata.name), numbers.get(node.metadata.name)]
    if (own.length < families.length || number === undefined) return []
    return [{ node, annotations: annotationsOf(node, own, number) }]
  })
}

/** Writes what differs, by compare-and-swap. A conflict leaves the node to the next round, which its change starts. */
export async function writeAllocation(kube: KubeClient, { node, annotations }: NodeAllocation): Promise<void> {
  const current = node.metadata.annotations ?? {}
  if (Object.entries(annotations).every(([key, value]) => current[key] === value)) return
  const { name, resourceVersion } = node.metadata
  try {
    await kube.patch(nodeType, name, { type: 'merge', body: { metadata: { resourceVersion, annotations } } })
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}

/** What the topology is built from; only nodes whose allocation is already written, so that it cannot change again. */
export function nodeFacts(nodes: readonly NodeResource[]): NodeFacts[] {
  return nodes.flatMap((node) => {
    const [subnets, number] = [findNodeSubnets(node, network), findNodeNumber(node)]
    if (subnets.length === 0 || number === undefined) return []
    return [{ name: node.metadata.name, subnets, number, chassisId: findChassisId(node), gateway: findGateway(node) }]
  })
}

function annotationsOf(node: NodeResource, subnets: readonly string[], number: number): Record<string, string> {
  const joins = familiesOf(subnets).map((family) => [`ipv${family}`, joinInterface(number, family)])
  return {
    [nodeAnnotation.subnets]: withDefault(node, nodeAnnotation.subnets, subnets),
    [nodeAnnotation.id]: String(number),
    [nodeAnnotation.joinAddresses]: withDefault(node, nodeAnnotation.joinAddresses, Object.fromEntries(joins)),
  }
}

/** Other networks have their own keys in the same annotation. */
function withDefault(node: NodeResource, key: string, value: unknown): string {
  try {
    const others = JSON.parse(node.metadata.annotations?.[key] ?? '{}') as unknown
    if (typeof others === 'object' && others !== null) return JSON.stringify({ ...others, default: value })
  } catch {}
  return JSON.stringify({ default: value })
}

/** The order in which nodes get what all of them need. */
export function inAllocationOrder(nodes: readonly NodeResource[]): NodeResource[] {
  return [...nodes].sort(byAllocationOrder)
}

/** Control plane nodes come last: they run the fewest pods. */
function byAllocationOrder(a: NodeResource, b: NodeResource): number {
  const rank = (node: NodeResource): string => {
    const isControlPlane = node.metadata.labels?.['node-role.kubernetes.io/control-plane'] !== undefined
    return `${isControlPlane ? 1 : 0} ${node.metadata.creationTimestamp ?? ''} ${node.metadata.name}`
  }
  return rank(a) < rank(b) ? -1 : 1
}
