import type { EndpointSliceResource, ServiceResource } from '../../../kube/resources/core.ts'
import { keyOf } from '../../../kube/resources/meta.ts'
import { buildLoadBalancers, type ServiceNode } from '../services/load-balancers.ts'
import { gatewayAddresses, gatewayRouterId } from '../topology/gateway-facts.ts'
import { familiesOf } from '../topology/names.ts'
import { nodeSwitchId } from '../topology/node.ts'
import { planRows } from '../topology/plan.ts'
import type { ClusterContext } from './context.ts'

const serviceLabel = 'kubernetes.io/service-name'

/** Makes the load balancers as services and their endpoints are. */
export function syncServices(
  context: ClusterContext,
  services: readonly ServiceResource[],
  slices: readonly EndpointSliceResource[],
): Promise<boolean> {
  const bySlice = groupByService(slices)
  return context.northbound.write((transaction) => {
    const nodes = serviceNodes(context)
    const families = familiesOf(context.settings.netCidrs)
    const desired = services.flatMap((service) =>
      buildLoadBalancers(service, bySlice.get(keyOf(service)) ?? [], { nodes, families }),
    )
    planRows(context.northbound.view, desired, { scope: 'service', transaction })
  })
}

/** Nodes whose switch is there; those whose gateway router is there too take NodePort traffic. */
function serviceNodes({ nodeFacts, northbound: { view } }: ClusterContext): ServiceNode[] {
  return nodeFacts().flatMap(({ name, gateway }) => {
    if (view.find({ table: 'Logical_Switch', id: nodeSwitchId(name) }) === undefined) return []
    const router = view.find({ table: 'Logical_Router', id: gatewayRouterId(name) })
    return [{ name, addresses: gateway === undefined || router === undefined ? [] : gatewayAddresses(gateway) }]
  })
}

function groupByService(slices: readonly EndpointSliceResource[]): Map<string, EndpointSliceResource[]> {
  const groups = new Map<string, EndpointSliceResource[]>()
  for (const slice of slices) {
    const key = `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceLabel]}`
    groups.set(key, [...(groups.get(key) ?? []), slice])
  }
  return groups
}
