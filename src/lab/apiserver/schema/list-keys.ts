import type { Schema } from './schema.ts'

/**
 * How lists of the built-in kinds merge, which their type declarations do not say: facts of the Kubernetes API
 * (markers listType, listMapKey, patchMergeKey, patchStrategy). Lists that are not named are atomic.
 * Key: type name, a dot, field name.
 */
const keyedLists: Record<string, { keys: string[]; mergeKey?: string; strategy?: string }> = {
  'ObjectMeta.ownerReferences': { keys: ['uid'] },
  'PodSpec.containers': { keys: ['name'] },
  'PodSpec.initContainers': { keys: ['name'] },
  'PodSpec.ephemeralContainers': { keys: ['name'] },
  'PodSpec.volumes': { keys: ['name'], strategy: 'merge,retainKeys' },
  'PodSpec.imagePullSecrets': { keys: ['name'] },
  'PodSpec.hostAliases': { keys: ['ip'] },
  'PodSpec.schedulingGates': { keys: ['name'] },
  'PodSpec.resourceClaims': { keys: ['name'], strategy: 'merge,retainKeys' },
  'PodSpec.topologySpreadConstraints': { keys: ['topologyKey', 'whenUnsatisfiable'], mergeKey: 'topologyKey' },
  'PodStatus.conditions': { keys: ['type'] },
  'PodStatus.podIPs': { keys: ['ip'] },
  'Container.env': { keys: ['name'] },
  'Container.ports': { keys: ['containerPort', 'protocol'], mergeKey: 'containerPort' },
  'Container.volumeMounts': { keys: ['mountPath'] },
  'Container.volumeDevices': { keys: ['devicePath'] },
  'EphemeralContainer.env': { keys: ['name'] },
  'EphemeralContainer.ports': { keys: ['containerPort', 'protocol'], mergeKey: 'containerPort' },
  'EphemeralContainer.volumeMounts': { keys: ['mountPath'] },
  'EphemeralContainer.volumeDevices': { keys: ['devicePath'] },
  'ResourceRequirements.claims': { keys: ['name'] },
  'ServiceSpec.ports': { keys: ['port', 'protocol'], mergeKey: 'port' },
  'ServiceStatus.conditions': { keys: ['type'] },
  'NodeStatus.conditions': { keys: ['type'] },
  'NodeStatus.addresses': { keys: ['type'] },
  'NamespaceStatus.conditions': { keys: ['type'] },
  'ServiceAccount.secrets': { keys: ['name'] },
  'CustomResourceDefinitionStatus.conditions': { keys: ['type'] },
}

const sets = ['ObjectMeta.finalizers', 'NodeSpec.podCIDRs', 'Endpoint.addresses']

/** Lists whose patches merge by the value of the items. */
const mergedSets = new Set(['ObjectMeta.finalizers', 'NodeSpec.podCIDRs'])

/** Structs and maps that one manager owns as a whole. */
const atomicTypes = new Set([
  'ConfigMapKeySelector',
  'FieldsV1',
  'LabelSelector',
  'LocalObjectReference',
  'NodeSelector',
  'NodeSelectorTerm',
  'ObjectFieldSelector',
  'ObjectReference',
  'ResourceFieldSelector',
  'SecretKeySelector',
  'TypedLocalObjectReference',
])
const atomicFields = new Set(['ServiceSpec.selector', 'PodSpec.nodeSelector'])

/** Only these numbers of the built-in API may have a fraction. */
const fractions = new Set(['JSONSchemaProps.maximum', 'JSONSchemaProps.minimum', 'JSONSchemaProps.multipleOf'])

/** Default of a field that is part of a list key. */
const keyDefaults: Record<string, unknown> = {
  'ContainerPort.protocol': 'TCP',
  'ServicePort.protocol': 'TCP',
}

/** The schema of a type with its merge rules written into it as `x-kubernetes-*` extensions. */
export function withMergeRules(typeName: string, schema: Schema): Schema {
  const marked = atomicTypes.has(typeName) ? { ...schema, 'x-kubernetes-map-type': 'atomic' as const } : schema
  if (marked.properties === undefined) return marked
  const properties: Record<string, Schema> = {}
  for (const [field, value] of Object.entries(marked.properties)) {
    properties[field] = withFieldRules(`${typeName}.${field}`, value)
  }
  return { ...marked, properties }
}

function withFieldRules(path: string, schema: Schema): Schema {
  const keyed = keyedLists[path]
  if (keyed !== undefined) {
    return {
      ...schema,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': keyed.keys,
      'x-kubernetes-patch-merge-key': keyed.mergeKey ?? (keyed.keys[0] as string),
      'x-kubernetes-patch-strategy': keyed.strategy ?? 'merge',
    }
  }
  if (sets.includes(path)) {
    const strategy = mergedSets.has(path) ? { 'x-kubernetes-patch-strategy': 'merge' } : {}
    return { ...schema, 'x-kubernetes-list-type': 'set', ...strategy }
  }
  if (atomicFields.has(path)) return { ...schema, 'x-kubernetes-map-type': 'atomic' }
  if (fractions.has(path)) return { ...schema, type: 'number' }
  if (path in keyDefaults) return { ...schema, default: keyDefaults[path] }
  return schema.type === 'array' ? { ...schema, 'x-kubernetes-list-type': 'atomic' } : schema
}
