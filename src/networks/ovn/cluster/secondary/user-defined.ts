import type { Informer, KubeClient } from '../../../../kube/api.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../../../kube/errors.ts'
import type { NamespaceResource } from '../../../../kube/resources/core.ts'
import type { CustomResource, KubeObject } from '../../../../kube/resources/meta.ts'
import { keyOf } from '../../../../kube/resources/meta.ts'
import {
  type NetworkAttachmentDefinition,
  networkAttachmentDefinitions,
} from '../../../../kube/resources/net-attach-def.ts'
import {
  type ClusterUserDefinedNetwork,
  type Condition,
  clusterUserDefinedNetworks,
  type UserDefinedNetwork,
  userDefinedNetworks,
} from '../../resources/user-defined-network.ts'
import type { NetworkSet } from '../../secondary/network-set.ts'
import { type Owner, planDefinitions } from '../../secondary/plan-definitions.ts'

export interface UserDefinedSources {
  readonly kube: KubeClient
  readonly networks: Informer<UserDefinedNetwork>
  readonly clusterNetworks: Informer<ClusterUserDefinedNetwork>
  readonly namespaces: Informer<NamespaceResource>
  readonly definitions: Informer<NetworkAttachmentDefinition>
}

/**
 * Makes the definitions of user-defined networks as they should be, and says in each one's status what has become of
 * it. A conflict, or an object that is gone, is left to the next round, which its change starts.
 */
export async function syncUserDefined(sources: UserDefinedSources, { refusals }: NetworkSet): Promise<void> {
  const { kube, networks, clusterNetworks, namespaces, definitions } = sources
  const reasons = new Map(refusals.map(({ nad, reason }) => [keyOf(nad), reason]))
  const plan = planDefinitions({
    networks: networks.list().filter(isStaying),
    clusterNetworks: clusterNetworks.list().filter(isStaying),
    namespaces: namespaces.list().filter(isStaying),
    definitions: definitions.list(),
    refusalOf: (definition) => reasons.get(definition),
  })
  for (const definition of plan.create) await lenient(kube.create(networkAttachmentDefinitions, definition))
  for (const definition of plan.update) await lenient(kube.update(networkAttachmentDefinitions, definition))
  for (const { metadata } of plan.remove) await lenient(removeDefinition(kube, metadata))
  for (const { owner, condition } of plan.conditions) await lenient(writeCondition(kube, owner, condition))
}

function removeDefinition(kube: KubeClient, { name, namespace, uid }: KubeObject['metadata']): Promise<void> {
  const preconditions = uid === undefined ? {} : { preconditions: { uid } }
  return kube.delete(networkAttachmentDefinitions, name, { namespace, ignoreNotFound: true, ...preconditions })
}

async function writeCondition(
  kube: KubeClient,
  { kind, object }: Owner,
  condition: Omit<Condition, 'lastTransitionTime'>,
): Promise<void> {
  const before = object.status?.conditions ?? []
  const own = before.find(({ type }) => type === condition.type)
  if (own !== undefined && isSame(own, condition)) return
  const isTurned = own?.status !== condition.status
  const lastTransitionTime = isTurned ? new Date().toISOString().replace(/\.\d+Z$/, 'Z') : own.lastTransitionTime
  const conditions = [...before.filter((each) => each !== own), { ...condition, lastTransitionTime }]
  const type: CustomResource<UserDefinedNetwork | ClusterUserDefinedNetwork> =
    kind === 'UserDefinedNetwork' ? userDefinedNetworks : clusterUserDefinedNetworks
  await kube.updateStatus(type, { ...object, status: { ...object.status, conditions } })
}

function isSame(a: Condition, b: Omit<Condition, 'lastTransitionTime'>): boolean {
  return a.status === b.status && a.reason === b.reason && a.message === b.message
}

async function lenient(change: Promise<unknown>): Promise<void> {
  try {
    await change
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error) && !isAlreadyExists(error)) throw error
  }
}

function isStaying({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp === undefined
}
