import type { KubeObject } from '../../kube/resources/meta.ts'
import type { ResourceFacts, ResourceProblem } from '../driver.ts'
import { checkPool } from './ipam/check-pool.ts'
import {
  type BGPConfiguration,
  type BGPFilter,
  type BGPPeer,
  type IPAMConfiguration,
  type IPPool,
  type IPReservation,
  ipPools,
} from './resources.ts'
import { checkBgpConfiguration } from './rules/check-bgp-configuration.ts'
import { checkBgpFilter } from './rules/check-bgp-filter.ts'
import { checkBgpPeer } from './rules/check-bgp-peer.ts'
import { checkIpamConfiguration, checkReservation } from './rules/check-ipam.ts'

/** Kinds that need no other object to be judged. */
const alone: Readonly<Record<string, (object: KubeObject) => ResourceProblem[]>> = {
  BGPPeer: (object) => checkBgpPeer(object as BGPPeer),
  BGPConfiguration: (object) => checkBgpConfiguration(object as BGPConfiguration),
  BGPFilter: (object) => checkBgpFilter(object as BGPFilter),
  IPReservation: (object) => checkReservation(object as IPReservation),
  IPAMConfiguration: (object) => checkIpamConfiguration(object as IPAMConfiguration),
}

/** The rules of this network's kinds that a schema cannot say. */
export async function checkRoutedResource(object: KubeObject, facts: ResourceFacts): Promise<ResourceProblem[]> {
  if (object.kind === ipPools.kind) return checkPoolAmongOthers(object as IPPool, facts)
  return alone[object.kind ?? '']?.(object) ?? []
}

async function checkPoolAmongOthers(pool: IPPool, { kube, before }: ResourceFacts): Promise<ResourceProblem[]> {
  const others = (await kube.list(ipPools)).items
  const problems = checkPool(pool, { others, before: before as IPPool | undefined })
  return problems.map(({ field, reason }) => ({ field: `spec.${field}`, reason }))
}
