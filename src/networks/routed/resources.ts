import type { CustomResource } from '../../kube/resources/meta.ts'
import { bgpConfigurations, bgpPeers } from './resources/bgp.ts'
import { bgpFilters } from './resources/bgp-filter.ts'
import { ipPools } from './resources/ip-pool.ts'
import { ipReservations } from './resources/ip-reservation.ts'
import { blockAffinities, ipamBlocks, ipamConfigurations, ipamHandles } from './resources/ipam.ts'
import { calicoNodeStatuses } from './resources/node-status.ts'

export * from './resources/bgp.ts'
export * from './resources/bgp-filter.ts'
export * from './resources/ip-pool.ts'
export * from './resources/ip-reservation.ts'
export * from './resources/ipam.ts'
export * from './resources/node-status.ts'

/** Every kind of projectcalico.org/v3 that this network owns. Calico's Node is not one: see virtual-node.ts. */
export const routedResources: readonly CustomResource[] = [
  ipPools,
  ipReservations,
  ipamBlocks,
  blockAffinities,
  ipamHandles,
  ipamConfigurations,
  bgpConfigurations,
  bgpPeers,
  bgpFilters,
  calicoNodeStatuses,
]
