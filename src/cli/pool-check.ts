import { ConfigError } from '../base/errors.ts'
import type { KubeObject, ResourceType } from '../kube/resources/meta.ts'
import { checkPool, type PoolProblem } from '../networks/routed/ipam/check-pool.ts'
import { type IPPool, ipPools } from '../networks/routed/resources.ts'
import type { Connection } from './connection.ts'
import type { Step } from './each-manifest.ts'
import { ManifestError, type ManifestObject } from './manifest.ts'

/** Refuses an IPPool that does not go with the pools of the cluster, before it is sent. Throws ManifestError. */
export async function checkManifestInCluster(
  { connection, target, object }: Step,
  manifest: ManifestObject,
): Promise<void> {
  if (!isPool(target.type)) return
  const [problem] = await problemsOf(connection, object as IPPool)
  if (problem !== undefined) throw new ManifestError(manifest, ['spec', problem.field], problem.reason)
}

/** The same of an object that is to be changed, as it would be afterwards. Throws ConfigError naming the field. */
export async function checkObjectInCluster(
  connection: Connection,
  type: ResourceType,
  object: KubeObject,
): Promise<void> {
  if (!isPool(type)) return
  const [problem] = await problemsOf(connection, object as IPPool)
  if (problem === undefined) return
  throw new ConfigError(`${type.kind} ${object.metadata.name}: spec.${problem.field}`, problem.reason)
}

function isPool(type: ResourceType): boolean {
  return type.kind === ipPools.kind && type.group === ipPools.group
}

/** Fields that a file leaves out stay as they are when it is applied. */
async function problemsOf({ client }: Connection, pool: IPPool): Promise<PoolProblem[]> {
  const pools = (await client.list(ipPools)).items
  const before = pools.find(({ metadata }) => metadata.name === pool.metadata.name)
  const wanted = before === undefined ? pool : { ...pool, spec: { ...before.spec, ...pool.spec } }
  return checkPool(wanted, { others: pools, before })
}
