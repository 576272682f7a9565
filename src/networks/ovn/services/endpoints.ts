import { type Family, familyOf } from '../../../base/ip.ts'
import type { EndpointSliceResource, ServiceResource } from '../../../kube/resources/core.ts'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

type Candidate = NonNullable<EndpointSliceResource['endpoints']>[number]

/**
 * Backends of one port of a service: the endpoints that are ready; when there are none, those that end but still
 * serve. `publishNotReadyAddresses` takes all. Ports are matched by name, duplicates are dropped, FQDN slices ignored.
 * Only addresses of one family, and with a node only those that are there, as for a local traffic policy.
 */
export function selectEndpoints(
  service: ServiceResource,
  slices: readonly EndpointSliceResource[],
  port: { readonly name?: string },
  { family, node }: { readonly family: Family; readonly node?: string | undefined },
): Endpoint[] {
  const candidates = slices
    .filter(({ addressType }) => addressType === `IPv${family}`)
    .flatMap((slice) => pairs(slice, port))
    .filter(({ endpoint }) => node === undefined || endpoint.nodeName === node)
  const takesAll = service.spec?.publishNotReadyAddresses === true
  const ready = candidates.filter(({ endpoint }) => takesAll || endpoint.conditions?.ready !== false)
  const chosen = ready.length > 0 ? ready : candidates.filter(({ endpoint }) => isServingToTheEnd(endpoint))
  const found = chosen.flatMap(({ endpoint, number }) =>
    endpoint.addresses.map((address) => [hostAndPort(address, number), { address, port: number }] as const),
  )
  return [...new Map(found).entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint)
}

/** `10.0.0.1:80` or `[fd00::1]:80`. */
export function hostAndPort(address: string, port: number): string {
  return familyOf(address) === 4 ? `${address}:${port}` : `[${address}]:${port}`
}

function pairs(
  slice: EndpointSliceResource,
  port: { readonly name?: string },
): { endpoint: Candidate; number: number }[] {
  const match = (slice.ports ?? []).find(({ name }) => (name ?? '') === (port.name ?? ''))
  const number = match?.port
  if (number === undefined) return []
  return (slice.endpoints ?? []).map((endpoint) => ({ endpoint, number }))
}

function isServingToTheEnd({ conditions }: Candidate): boolean {
  return conditions?.serving === true && conditions.terminating === true
}
