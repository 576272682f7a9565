import type {
  ConfigMap,
  Event,
  Namespace,
  Node,
  NodeStatus,
  Pod,
  PodSpec,
  PodStatus,
  Secret,
  Service,
  ServiceSpec,
} from 'kubernetes-types/core/v1.js'
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js'
import type { KubeObject, ResourceType } from './meta.ts'

/** An upstream type with our stricter metadata, and writable (upstream marks what the server fills in as readonly). */
export type Resource<T> = KubeObject & Writable<Omit<T, 'metadata' | 'apiVersion' | 'kind'>>

type Writable<T> = { -readonly [K in keyof T]: T[K] }

export type PodResource = Resource<Pod> & { spec?: PodSpec; status?: PodStatus }
export type NodeResource = Resource<Node> & { status?: NodeStatus }
export type ServiceResource = Resource<Service> & { spec?: ServiceSpec }
export type EndpointSliceResource = Resource<EndpointSlice>
export type NamespaceResource = Resource<Namespace>
export type ConfigMapResource = Resource<ConfigMap>
export type SecretResource = Resource<Secret>
export type EventResource = Resource<Event>

function core<T extends KubeObject>(
  kind: string,
  plural: string,
  shortNames: string[],
  isNamespaced = true,
): ResourceType<T> {
  return { group: '', version: 'v1', kind, plural, singular: kind.toLowerCase(), shortNames, isNamespaced }
}

export const pods = core<PodResource>('Pod', 'pods', ['po'])
export const nodes = core<NodeResource>('Node', 'nodes', ['no'], false)
export const services = core<ServiceResource>('Service', 'services', ['svc'])
export const namespaces = core<NamespaceResource>('Namespace', 'namespaces', ['ns'], false)
export const configMaps = core<ConfigMapResource>('ConfigMap', 'configmaps', ['cm'])
export const secrets = core<SecretResource>('Secret', 'secrets', [])
export const events = core<EventResource>('Event', 'events', ['ev'])
export const endpointSlices: ResourceType<EndpointSliceResource> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  shortNames: [],
  isNamespaced: true,
}
