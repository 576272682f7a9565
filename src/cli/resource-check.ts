import { ConfigError } from '../base/errors.ts'
import type { KubeClient } from '../kube/api.ts'
import { undefinedIfNotFound } from '../kube/errors.ts'
import { apiVersionOf, type KubeObject, type ResourceType } from '../kube/resources/meta.ts'
import type { ResourceFacts, ResourceProblem } from '../networks/driver.ts'
import { drivers } from '../networks/registry.ts'
import type { Connection } from './connection.ts'
import type { Step } from './each-manifest.ts'
import { ManifestError, type ManifestObject } from './manifest.ts'
import { parseFieldPath } from './manifest-check.ts'
import type { Target } from './objects.ts'

/** Refuses an object of a network's own kind by that network's rules, before it is sent. Throws ManifestError. */
export async function checkWhole({ connection, target, object }: Step, manifest: ManifestObject): Promise<void> {
  if (!hasRules(target.type)) return
  const { client } = connection
  await checkManifestAgainst(manifest, object, { kube: client, before: await findBefore(client, target) })
}

/**
 * The same for a file that is applied, which may leave out what is to stay. Whether a field that it leaves out stays or
 * goes depends on who has set it, and is the server's to say: only what is wrong either way is refused here.
 */
export async function checkApplied({ connection, target, object }: Step, manifest: ManifestObject): Promise<void> {
  if (!hasRules(target.type)) return
  const { client } = connection
  const facts = { kube: client, before: await findBefore(client, target) }
  const [alone, merged] = await Promise.all([
    findProblems(object, facts),
    findProblems(mergeSpecs(facts.before, object), facts),
  ])
  const problem = alone.find(({ field }) => merged.some((other) => other.field === field))
  if (problem !== undefined) throw refusal(manifest, problem)
}

/** The same against whatever cluster there is, or only seems to be. Throws ManifestError. */
export async function checkManifestAgainst(
  manifest: ManifestObject,
  object: KubeObject,
  facts: ResourceFacts,
): Promise<void> {
  const [problem] = await findProblems(object, facts)
  if (problem !== undefined) throw refusal(manifest, problem)
}

/** The same of an object that is to be changed, as it would be afterwards. Throws ConfigError naming the field. */
export async function checkObjectInCluster(
  { client }: Connection,
  type: ResourceType,
  { before, after }: { before: KubeObject; after: KubeObject },
): Promise<void> {
  const object = { ...after, apiVersion: apiVersionOf(type), kind: type.kind }
  const [problem] = await findProblems(object, { kube: client, before })
  if (problem === undefined) return
  throw new ConfigError(`${type.kind} ${object.metadata.name}: ${problem.field}`, problem.reason)
}

/** What the network that owns the kind finds wrong with it; nothing for kinds that no network has. */
export async function findProblems(object: KubeObject, facts: ResourceFacts): Promise<ResourceProblem[]> {
  const owner = drivers.find(({ resources }) =>
    resources.some((type) => type.kind === object.kind && apiVersionOf(type) === object.apiVersion),
  )
  return (await owner?.checkResource?.(object, facts)) ?? []
}

function refusal(manifest: ManifestObject, { field, reason }: ResourceProblem): ManifestError {
  return new ManifestError(manifest, parseFieldPath(field), reason)
}

function hasRules(type: ResourceType): boolean {
  return drivers.some(
    ({ resources, checkResource }) =>
      checkResource !== undefined && resources.some(({ group, kind }) => group === type.group && kind === type.kind),
  )
}

function findBefore(client: KubeClient, { type, name, namespace }: Target): Promise<KubeObject | undefined> {
  return undefinedIfNotFound(client.get(type, name, namespace))
}

function mergeSpecs(before: KubeObject | undefined, object: KubeObject): KubeObject {
  const specOf = (value: KubeObject | undefined): object => (value as { spec?: object } | undefined)?.spec ?? {}
  return { ...object, spec: { ...specOf(before), ...specOf(object) } } as KubeObject
}
