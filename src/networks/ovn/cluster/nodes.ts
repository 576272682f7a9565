import type { KubeClient } from '../../../kube/api.ts'
import { isConflict, isNotFound } from '../../../kube/errors.ts'
import { type NodeResource, nodes as nodeType } from '../../../kube/resources/core.ts'
import { findChassisId, findGateway, findNodeNumber, findNodeSubnet, nodeAnnotation } from '../annotations.ts'
import { allocateNodeNumbers, allocateNodeSubnets, type NodePool } from '../ipam/node-subnets.ts'
import { joinAddress } from '../topology/names.ts'
import type { NodeFacts } from '../topology/node.ts'

/** What a node's annotations must say, beside what they say already. */
export interface NodeAllocation {
  readonly node: NodeResource
  readonly annotations: Readonly<Record<string, string>>
}

/** Subnets and numbers of all nodes, those that are allocated already kept. Nodes for which no subnet is left are absent. */
export function allocateNodes(
  nodes: readonly NodeResource[],
  { nodePools }: { readonly nodePools: readonly NodePool[] },
): NodeAllocation[] {
  const ordered = inAllocationOrder(nodes)
  const claims = ordered.map((node) => ({
    node: node.metadata.name,
    subnet: findNodeSubnet(node),
    number: findNodeNumber(node),
  }))
  const subnets = allocateNodeSubnets(nodePools, claims)
  const numbers = allocateNodeNumbers(claims)
  return ordered.flatMap((node) => {
    const [subnet, number] = [subnets.get(node.metadata.name), numbers.get(node.metadata.name)]
    if (subnet === undefined || number === undefined) return []
    return [{ node, annotations: annotationsOf(node, subnet, number) }]
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
    const [subnet, number] = [findNodeSubnet(node), findNodeNumber(node)]
    if (subnet === undefined || number === undefined) return []
    return [{ name: node.metadata.name, subnet, number, chassisId: findChassisId(node), gateway: findGateway(node) }]
  })
}

function annotationsOf(node: NodeResource, subnet: string, number: number): Record<string, string> {
  return {
    [nodeAnnotation.subnets]: withDefault(node, nodeAnnotation.subnets, [subnet]),
    [nodeAnnotation.id]: String(number),
    [nodeAnnotation.joinAddresses]: withDefault(node, nodeAnnotation.joinAddresses, {
      ipv4: `${joinAddress(number)}/16`,
    }),
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
