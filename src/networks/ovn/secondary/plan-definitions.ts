import { TwinlaneError } from '../../../base/errors.ts'
import type { NamespaceResource } from '../../../kube/resources/core.ts'
import { type KubeObject, keyOf } from '../../../kube/resources/meta.ts'
import type { NetworkAttachmentDefinition } from '../../../kube/resources/net-attach-def.ts'
import type {
  ClusterUserDefinedNetwork,
  Condition,
  UserDefinedNetwork,
  UserDefinedSpec,
} from '../resources/user-defined-network.ts'
import { clusterNetworkName, matchesSelector, namespacedNetworkName, renderUserDefined } from './user-defined.ts'

export const userDefinedLabel = 'k8s.ovn.org/user-defined-network'

export interface UserDefinedInput {
  readonly networks: readonly UserDefinedNetwork[]
  readonly clusterNetworks: readonly ClusterUserDefinedNetwork[]
  readonly namespaces: readonly NamespaceResource[]
  readonly definitions: readonly NetworkAttachmentDefinition[]
  /** Why a definition (`<namespace>/<name>`) that is there cannot be used, if so. */
  refusalOf(definition: string): string | undefined
}

export interface DefinitionPlan {
  readonly create: readonly NetworkAttachmentDefinition[]
  readonly update: readonly NetworkAttachmentDefinition[]
  readonly remove: readonly NetworkAttachmentDefinition[]
  readonly conditions: readonly { readonly owner: Owner; readonly condition: Omit<Condition, 'lastTransitionTime'> }[]
}

/** A user-defined network of either kind, and where its definitions belong. */
export interface Owner {
  readonly kind: 'UserDefinedNetwork' | 'ClusterUserDefinedNetwork'
  readonly object: UserDefinedNetwork | ClusterUserDefinedNetwork
  readonly network: string
  readonly spec: UserDefinedSpec
  readonly namespaces: readonly string[]
}

/** The definitions that user-defined networks amount to, against those that are there. One that is somebody else's stays. */
export function planDefinitions(input: UserDefinedInput): DefinitionPlan {
  const owners = [
    ...input.networks.map(ofNamespace),
    ...input.clusterNetworks.map((each) => ofCluster(each, input.namespaces)),
  ]
  const present = new Map(input.definitions.map((definition) => [keyOf(definition), definition]))
  const plan = { create: [], update: [], conditions: [] } as {
    [K in Exclude<keyof DefinitionPlan, 'remove'>]: DefinitionPlan[K][number][]
  }
  const wanted = new Set<string>()
  for (const owner of owners) {
    const problems: string[] = []
    for (const namespace of owner.namespaces) {
      const definition = render(owner, namespace, problems)
      if (definition === undefined) continue
      const key = keyOf(definition)
      const actual = present.get(key)
      const isForeign = actual !== undefined && !isOwnedBy(actual, owner)
      if (isForeign) problems.push(`NetworkAttachmentDefinition ${key} is there already and belongs to something else`)
      else wanted.add(key)
      if (actual === undefined) plan.create.push(definition)
      else if (!isForeign && actual.spec?.config !== definition.spec?.config) {
        plan.update.push({ ...actual, spec: { ...definition.spec } })
      }
      const refusal = isForeign ? undefined : input.refusalOf(key)
      if (refusal !== undefined) problems.push(refusal)
    }
    plan.conditions.push({ owner, condition: conditionOf(owner, problems) })
  }
  const remove = input.definitions.filter((definition) => isOurs(definition) && !wanted.has(keyOf(definition)))
  return { ...plan, remove }
}

function ofNamespace(object: UserDefinedNetwork): Owner {
  const { name, namespace = 'default' } = object.metadata
  const network = namespacedNetworkName(namespace, name)
  return { kind: 'UserDefinedNetwork', object, network, spec: object.spec ?? {}, namespaces: [namespace] }
}

function ofCluster(object: ClusterUserDefinedNetwork, all: readonly NamespaceResource[]): Owner {
  const selector = object.spec?.namespaceSelector
  const matching = all.filter(({ metadata }) => selector !== undefined && matchesSelector(selector, labelsOf(metadata)))
  const namespaces = matching.map(({ metadata }) => metadata.name).sort()
  const network = clusterNetworkName(object.metadata.name)
  return { kind: 'ClusterUserDefinedNetwork', object, network, spec: object.spec?.network ?? {}, namespaces }
}

/** The API server labels every namespace with its name. */
function labelsOf({ name, labels = {} }: NamespaceResource['metadata']): Record<string, string> {
  return { 'kubernetes.io/metadata.name': name, ...labels }
}

function render(owner: Owner, namespace: string, problems: string[]): NetworkAttachmentDefinition | undefined {
  const { name, uid = '' } = owner.object.metadata
  try {
    const config = renderUserDefined(owner.network, `${namespace}/${name}`, owner.spec)
    const reference = { apiVersion: 'k8s.ovn.org/v1', kind: owner.kind, name, uid }
    return {
      metadata: {
        name,
        namespace,
        labels: { [userDefinedLabel]: '' },
        ownerReferences: [{ ...reference, controller: true, blockOwnerDeletion: true }],
      },
      spec: { config },
    }
  } catch (error) {
    if (!(error instanceof TwinlaneError)) throw error
    const text = error.fix === undefined ? error.message : `${error.message}. ${error.fix}`
    if (!problems.includes(text)) problems.push(text)
    return undefined
  }
}

function conditionOf({ kind, namespaces }: Owner, problems: readonly string[]): Omit<Condition, 'lastTransitionTime'> {
  const isCluster = kind === 'ClusterUserDefinedNetwork'
  if (problems.length > 0) {
    const reason = isCluster ? 'NetworkAttachmentDefinitionSyncError' : 'SyncError'
    return { type: 'NetworkCreated', status: 'False', reason, message: problems.join('; ') }
  }
  const where = isCluster ? ` in following namespaces: [${namespaces.join(', ')}]` : ''
  const message = `NetworkAttachmentDefinition has been created${where}`
  return { type: 'NetworkCreated', status: 'True', reason: 'NetworkAttachmentDefinitionCreated', message }
}

function isOwnedBy({ metadata }: NetworkAttachmentDefinition, { object }: Owner): boolean {
  return (metadata.ownerReferences ?? []).some(
    ({ uid, controller }) => controller === true && uid === object.metadata.uid,
  )
}

function isOurs({ metadata }: KubeObject): boolean {
  const kinds = ['UserDefinedNetwork', 'ClusterUserDefinedNetwork']
  const isLabelled = metadata.labels?.[userDefinedLabel] !== undefined
  return isLabelled && (metadata.ownerReferences ?? []).some(({ kind }) => kinds.includes(kind))
}
