import type { NamespaceResource } from '../../../kube/resources/core.ts'
import { buildTopology } from '../topology/build.ts'
import { type MulticastNamespace, multicastAnnotation } from '../topology/multicast.ts'
import { planRows } from '../topology/plan.ts'
import type { ClusterContext } from './context.ts'
import { portAddresses } from './pod-port-plan.ts'

/** Makes the rows of cluster, nodes and multicast as the API has them. Resolves with whether anything changed. */
export function syncTopology(context: ClusterContext, namespaces: readonly NamespaceResource[]): Promise<boolean> {
  const { northbound, settings } = context
  return northbound.write((transaction) => {
    const desired = buildTopology({
      nodes: context.nodeFacts(),
      multicastNamespaces: settings.multicastEnabled ? multicastNamespaces(context, namespaces) : [],
      options: settings,
    })
    planRows(northbound.view, desired, { scope: 'topology', transaction })
  })
}

function multicastNamespaces(
  { northbound }: ClusterContext,
  namespaces: readonly NamespaceResource[],
): MulticastNamespace[] {
  const allowed = namespaces.filter(({ metadata }) => metadata.annotations?.[multicastAnnotation] === 'true')
  const found = new Map<string, { ports: string[]; addresses: string[] }>(
    allowed.map(({ metadata }) => [metadata.name, { ports: [], addresses: [] }]),
  )
  for (const port of northbound.view.ofScope('Logical_Switch_Port', 'pod')) {
    const members = found.get((port.external_ids as Record<string, string>).namespace ?? '')
    members?.ports.push(port._uuid)
    members?.addresses.push(...portAddresses(port))
  }
  return [...found].map(([name, members]) => ({ name, ...members }))
}
