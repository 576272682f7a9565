import type { NodeResource } from '../../../../kube/resources/core.ts'
import { findNodeSubnets, nodeAnnotation, parseNodeSubnets } from '../../annotations.ts'
import type { SecondaryNetwork } from '../../secondary/net-conf.ts'
import { allocateSecondarySubnets } from '../../secondary/node-subnets.ts'
import { inAllocationOrder, type NodeAllocation } from '../nodes.ts'

/**
 * The nodes' parts of the layer 3 networks, beside their subnet of the cluster network, for the same annotation. What
 * it says of networks that are not active stays while `isLeft` says that something of them is.
 */
export function allocateSecondary(
  nodes: readonly NodeResource[],
  networks: readonly SecondaryNetwork[],
  isLeft: (network: string) => boolean,
): NodeAllocation[] {
  const ordered = inAllocationOrder(nodes)
  const claims = ordered.map((node) => ({
    node: node.metadata.name,
    subnetsOf: (network: string) => findNodeSubnets(node, network),
  }))
  const given = allocateSecondarySubnets(claims, networks)
  return ordered.flatMap((node) => {
    const { default: own, ...others } = parseNodeSubnets(node)
    // The cluster network's own round comes first; it starts the next one of this.
    if (own === undefined) return []
    const left = Object.fromEntries(Object.entries(others).filter(([network]) => isLeft(network)))
    const value = JSON.stringify({ default: own, ...left, ...given.get(node.metadata.name) })
    return [{ node, annotations: { [nodeAnnotation.subnets]: value } }]
  })
}
