import type { CustomResource } from '../../kube/resources/meta.ts'
import { ipamClaims } from './resources/ipam-claim.ts'
import { clusterUserDefinedNetworks, userDefinedNetworks } from './resources/user-defined-network.ts'

/** The cluster network needs no kinds of its own; these belong to secondary networks. */
export const ovnResources: readonly CustomResource[] = [ipamClaims, userDefinedNetworks, clusterUserDefinedNetworks]
