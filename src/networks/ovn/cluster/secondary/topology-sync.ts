import type { NodeResource } from '../../../../kube/resources/core.ts'
import { findChassisId, findNodeSubnets } from '../../annotations.ts'
import { networkIdKey } from '../../secondary/names.ts'
import type { SecondaryNetwork } from '../../secondary/net-conf.ts'
import { secondaryPodScope } from '../../secondary/pod-rows.ts'
import { buildSecondaryRows, networkScope, type SecondaryNode } from '../../secondary/topology.ts'
import { type NorthboundView, planRows } from '../../topology/plan.ts'
import { idKey } from '../../topology/rows.ts'
import type { ClusterContext } from '../context.ts'

/**
 * Makes the rows of the secondary networks, and removes those of networks that are gone when no pod is left on them.
 * Resolves with whether anything changed.
 */
export function syncSecondary(
  { northbound }: ClusterContext,
  active: readonly SecondaryNetwork[],
  nodes: readonly NodeResource[],
): Promise<boolean> {
  const { view } = northbound
  return northbound.write((transaction) => {
    for (const network of active) {
      const desired = buildSecondaryRows(network, secondaryNodes(network, nodes))
      planRows(view, desired, { scope: networkScope(network.name), transaction })
    }
    const known = new Set(active.map(({ name }) => name))
    const used = networksInUse(view)
    for (const name of networksInDatabase(view)) {
      if (!known.has(name) && !used.has(name)) planRows(view, [], { scope: networkScope(name), transaction })
    }
  })
}

/** Networks that pods have ports on. */
export function networksInUse(view: NorthboundView): Set<string> {
  const names = new Set<string>()
  for (const port of view.ofScope('Logical_Switch_Port', secondaryPodScope)) {
    const name = (port.external_ids as Readonly<Record<string, string>>)[networkIdKey]
    if (name !== undefined) names.add(name)
  }
  return names
}

/** Networks that have rows of their own. */
export function networksInDatabase(view: NorthboundView): Set<string> {
  const rows = [...view.ofScope('Logical_Switch', 'secondary'), ...view.ofScope('Logical_Router', 'secondary')]
  const ids = rows.map((row) => (row.external_ids as Readonly<Record<string, string>>)[idKey] ?? '')
  return new Set(ids.map((id) => id.split('/')[1] ?? ''))
}

function secondaryNodes(network: SecondaryNetwork, nodes: readonly NodeResource[]): SecondaryNode[] {
  return nodes.map((node) => ({
    name: node.metadata.name,
    subnets: findNodeSubnets(node, network.name),
    chassisId: findChassisId(node),
  }))
}
