import { customResourceDefinitionRules } from '../admission/custom-resource-definition.ts'
import { namespaceRules } from '../admission/namespace.ts'
import { nodeRules } from '../admission/node.ts'
import { podRules } from '../admission/pod.ts'
import type { Rules } from '../admission/rules.ts'
import { serviceRules } from '../admission/service.ts'
import { configMapRules, endpointSliceRules, eventRules, leaseRules, secretRules } from '../admission/small-kinds.ts'
import { webhookConfigurationRules } from '../admission/webhook-configuration.ts'
import { builtinSchemaName, schemas } from '../schema/builtin.ts'
import { openSchema } from '../schema/schema.ts'
import { builtinColumns } from '../tables/builtin.ts'
import { defaultColumns } from '../tables/table.ts'
import { everyVerb, type Resource, type Subresource, type Verb } from './resource.ts'

interface Definition {
  group?: string
  kind: string
  plural: string
  shortNames?: string[]
  categories?: string[]
  isClusterScoped?: boolean
  hasStatus?: boolean
  subresources?: Subresource[]
  verbs?: readonly Verb[]
  rules?: Rules
}

const podSubresources: Subresource[] = [
  { name: 'attach', kind: 'PodAttachOptions', group: '', version: 'v1', verbs: ['create', 'get'] },
  { name: 'binding', kind: 'Binding', group: '', version: 'v1', verbs: ['create'] },
  { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
  { name: 'exec', kind: 'PodExecOptions', group: '', version: 'v1', verbs: ['create', 'get'] },
  { name: 'log', kind: 'Pod', group: '', version: 'v1', verbs: ['get'] },
]

const definitions: Definition[] = [
  {
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    hasStatus: true,
    subresources: podSubresources,
    rules: podRules,
  },
  { kind: 'Binding', plural: 'bindings', verbs: ['create'] },
  { kind: 'Node', plural: 'nodes', shortNames: ['no'], isClusterScoped: true, hasStatus: true, rules: nodeRules },
  {
    kind: 'Namespace',
    plural: 'namespaces',
    shortNames: ['ns'],
    isClusterScoped: true,
    hasStatus: true,
    rules: namespaceRules,
  },
  {
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    hasStatus: true,
    rules: serviceRules,
  },
  { kind: 'Endpoints', plural: 'endpoints', shortNames: ['ep'] },
  { kind: 'ConfigMap', plural: 'configmaps', shortNames: ['cm'], rules: configMapRules },
  { kind: 'Secret', plural: 'secrets', rules: secretRules },
  { kind: 'ServiceAccount', plural: 'serviceaccounts', shortNames: ['sa'] },
  { kind: 'Event', plural: 'events', shortNames: ['ev'], rules: eventRules },
  { group: 'discovery.k8s.io', kind: 'EndpointSlice', plural: 'endpointslices', rules: endpointSliceRules },
  { group: 'coordination.k8s.io', kind: 'Lease', plural: 'leases', rules: leaseRules },
  {
    group: 'apiextensions.k8s.io',
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    isClusterScoped: true,
    hasStatus: true,
    rules: customResourceDefinitionRules,
  },
  {
    group: 'admissionregistration.k8s.io',
    kind: 'ValidatingWebhookConfiguration',
    plural: 'validatingwebhookconfigurations',
    categories: ['api-extensions'],
    isClusterScoped: true,
    rules: webhookConfigurationRules,
  },
  {
    group: 'authentication.k8s.io',
    kind: 'SelfSubjectReview',
    plural: 'selfsubjectreviews',
    isClusterScoped: true,
    verbs: ['create'],
  },
  {
    group: 'authorization.k8s.io',
    kind: 'SelfSubjectAccessReview',
    plural: 'selfsubjectaccessreviews',
    isClusterScoped: true,
    verbs: ['create'],
  },
]

/** The kinds that are always served. All are version v1. */
export const builtinResources: readonly Resource[] = definitions.map(resourceOf)

function resourceOf(definition: Definition): Resource {
  const { kind, plural, group = '', hasStatus = false } = definition
  const own = { kind, group, version: 'v1' }
  const status = hasStatus ? [{ ...own, name: 'status', verbs: ['get', 'patch', 'update'] }] : []
  return {
    ...own,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: definition.shortNames ?? [],
    categories: definition.categories ?? [],
    isNamespaced: definition.isClusterScoped !== true,
    hasStatus,
    isCustom: false,
    verbs: definition.verbs ?? everyVerb,
    subresources: [...(definition.subresources ?? []), ...status],
    collection: `${group}/${plural}`,
    columns: builtinColumns[plural] ?? defaultColumns,
    rules: definition.rules ?? {},
    schema: () => ({ schema: schemas.find(builtinSchemaName(group, 'v1', kind)) ?? openSchema, source: schemas }),
  }
}
