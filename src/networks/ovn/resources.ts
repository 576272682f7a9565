import type { CustomResource } from '../../kube/resources/meta.ts'
import { ipamClaims } from './resources/ipam-claim.ts'

/** The cluster network needs no kinds of its own; these belong to secondary networks. */
export const ovnResources: readonly CustomResource[] = [ipamClaims]
