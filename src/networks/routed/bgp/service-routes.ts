import { AddressError, type Cidr, cidrContains, hostPrefixOf, isAddress, parseCidr } from '../../../base/ip.ts'
import type { EndpointSliceResource, NodeResource, ServiceResource } from '../../../kube/resources/core.ts'
import type { ServicePrefixes } from './bgp-settings.ts'

/** On a node that traffic from outside shall not come to. As in Kubernetes its value does not matter. */
export const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'

const serviceNameLabel = 'kubernetes.io/service-name'

export interface ServiceFacts {
  readonly node: Pick<NodeResource, 'metadata'> | undefined
  readonly prefixes: ServicePrefixes
  readonly services: readonly ServiceResource[]
  readonly slices: readonly EndpointSliceResource[]
}

/**
 * Prefixes of service addresses that this node announces (as Calico does): each listed prefix as a whole, and single
 * addresses inside them of services with externalTrafficPolicy Local that have a ready endpoint here, so that routers
 * prefer these nodes. A listed prefix of one address is announced only for a service that has it: by every node with
 * the policy Cluster, by nodes with an endpoint with Local. Sorted. Pure.
 */
export function serviceRoutes(facts: ServiceFacts): string[] {
  const { node, prefixes, services } = facts
  if (node?.metadata.labels?.[excludeLabel] !== undefined) return []
  const all = Object.values(prefixes).flat()
  const whole = all.filter((cidr) => !isOneAddress(cidr))
  const single = services.flatMap((service) => addressesOf(service, prefixes).filter(isAnnounced(service, facts, all)))
  return [...new Set([...whole, ...single.map(hostPrefixOf)])].sort()
}

/** Those of its addresses that lie in a prefix of their kind. */
function addressesOf({ spec, status }: ServiceResource, prefixes: ServicePrefixes): string[] {
  const balanced = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? [])
  const requested = spec?.type === 'LoadBalancer' && spec.loadBalancerIP ? [spec.loadBalancerIP] : []
  return [
    ...inside(spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : []), prefixes.cluster),
    ...inside(spec?.externalIPs ?? [], prefixes.external),
    ...inside([...balanced, ...requested], prefixes.loadBalancer),
  ]
}

function inside(addresses: readonly string[], cidrs: readonly string[]): string[] {
  const parsed = cidrs.flatMap(readCidr)
  return addresses.filter((address) => isAddress(address) && parsed.some((cidr) => cidrContains(cidr, address)))
}

function isAnnounced(service: ServiceResource, facts: ServiceFacts, listed: readonly string[]) {
  const isLocal = service.spec?.externalTrafficPolicy === 'Local'
  const isHere = isLocal && hasEndpointHere(service, facts)
  return (address: string): boolean => (isLocal ? isHere : listed.includes(hostPrefixOf(address)))
}

function hasEndpointHere({ metadata }: ServiceResource, { node, slices }: ServiceFacts): boolean {
  return slices
    .filter((slice) => slice.metadata.namespace === metadata.namespace)
    .filter((slice) => slice.metadata.labels?.[serviceNameLabel] === metadata.name)
    .some(({ endpoints }) =>
      (endpoints ?? []).some(
        ({ nodeName, conditions }) => nodeName === node?.metadata.name && conditions?.ready !== false,
      ),
    )
}

function isOneAddress(cidr: string): boolean {
  return readCidr(cidr).some(({ family, prefixLength }) => prefixLength === (family === 4 ? 32 : 128))
}

function readCidr(text: string): Cidr[] {
  try {
    return [parseCidr(text)]
  } catch (error) {
    if (error instanceof AddressError) return []
    throw error
  }
}
