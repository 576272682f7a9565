import type { Endpoints } from 'kubernetes-types/core/v1.js'
import type { Resource } from '../../kube/resources/core.ts'
import type { ResourceType } from '../../kube/resources/meta.ts'

export type EndpointsResource = Resource<Endpoints>

/** Core Endpoints, which only this control plane writes. */
export const endpoints: ResourceType<EndpointsResource> = {
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  isNamespaced: true,
}
