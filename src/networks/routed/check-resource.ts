import type { KubeObject } from '../../kube/resources/meta.ts'
import type { ResourceFacts, ResourceProblem } from '../driver.ts'
import { checkPool } from './ipam/check-pool.ts'
import { type IPPool, ipPools } from './resources.ts'

/** The rules of this network's kinds that a schema cannot say. */
export async function checkRoutedResource(
  object: KubeObject,
  { kube, before }: ResourceFacts,
): Promise<ResourceProblem[]> {
  if (object.kind !== ipPools.kind) return []
  const others = (await kube.list(ipPools)).items
  const problems = checkPool(object as IPPool, { others, before: before as IPPool | undefined })
  return problems.map(({ field, reason }) => ({ field: `spec.${field}`, reason }))
}
