import { type Family, formatCidr, parseCidr } from '../../../base/ip.ts'
import type { BirdFilter, FilterCondition, FilterTerm, NetworkPattern } from '../../../bird/config.ts'
import type { BGPFilter, BGPFilterRule, IPPool } from '../resources.ts'
import { tunnelRouteProtocol } from '../tunnels/build-tunnels.ts'
import type { PrefixAdvertisement } from './bgp-settings.ts'

/** What the filters of one family are made of. Prefixes of the other family do not matter. */
export interface FilterInput {
  readonly ownBlocks: readonly string[]
  readonly pools: readonly IPPool[]
  readonly prefixAdvertisements: readonly PrefixAdvertisement[]
  readonly servicePrefixes: readonly string[]
  /** Passes on what other nodes say of services. */
  readonly isReflector: boolean
  readonly carried?: readonly string[]
}

/**
 * What peers get to know: own blocks but no address inside them; prefixes of services; everything else of the pools,
 * which is addresses borrowed from others' blocks and what is reflected; nothing of pools that are not to be exported;
 * nothing else. Communities are put on before anything is accepted.
 */
export function peerTerms(input: FilterInput, family: Family): FilterTerm[] {
  const hidden = input.pools.filter(({ spec }) => spec.disableBGPExport === true)
  const shown = input.pools.filter(({ spec }) => spec.disableBGPExport !== true)
  const own = ofFamily(input.ownBlocks, family)
  return withNetworks([
    term('pools that are not exported', patterns(poolCidrs(hidden, family), 'covered'), 'reject'),
    ...input.prefixAdvertisements.flatMap((advertisement) => communityTerm(advertisement, family)),
    term('own blocks', patterns(own, 'exact'), 'accept'),
    term('addresses inside own blocks', patterns(own.filter(isNotHost), 'longer'), 'reject'),
    ...serviceTerms(input, family),
    term('borrowed addresses, and blocks of others', patterns(poolCidrs(shown, family), 'covered'), 'accept'),
  ])
}

/** A route to a service leads to the node that serves it: only reflectors, which keep the next hop, pass others' on. */
function serviceTerms({ servicePrefixes, isReflector }: FilterInput, family: Family): FilterTerm[] {
  const networks = patterns(ofFamily(servicePrefixes, family), 'covered')
  if (isReflector) return [term('addresses of services', networks, 'accept')]
  return [
    { ...term('own addresses of services', networks, 'accept'), conditions: [{ networks }, { source: 'static' }] },
    term("others' addresses of services", networks, 'reject'),
  ]
}

/**
 * Everything that peers say goes to the kernel, but for addresses of services, which are the business of what serves
 * them on this node, and for pools that tunnels carry. The kernel has the networks of its own interfaces already; BIRD
 * would add them twice.
 */
export function kernelFilter(input: FilterInput, family: Family, name: string): BirdFilter {
  const services = term('addresses of services', patterns(ofFamily(input.servicePrefixes, family), 'covered'), 'reject')
  const carried: FilterTerm = {
    comment: 'pools that tunnels carry',
    conditions: [{ networks: patterns(ofFamily(input.carried ?? [], family), 'covered') }, { source: 'bgp' }],
    action: 'reject',
  }
  return {
    name,
    terms: [{ conditions: [{ source: 'device' }], action: 'reject' }, ...withNetworks([services, carried])],
    otherwise: 'accept',
  }
}

/** Routes of tunnels are this node's business: a peer that heard of them would send here what is for others. */
export function learnedFilter(name: string): BirdFilter {
  const terms: FilterTerm[] = [{ conditions: [{ installedBy: tunnelRouteProtocol }], action: 'reject' }]
  return { name, terms, otherwise: 'accept' }
}

/** The rules of BGPFilters in their order. A route that none of them matches goes on to the terms that follow. */
export function ruleTerms(filters: readonly BGPFilter[], direction: 'import' | 'export', family: Family): FilterTerm[] {
  const field = `${direction}V${family}` as const
  return filters.flatMap(({ metadata, spec }) =>
    (spec?.[field] ?? []).map((rule, index) => ({
      comment: `${metadata.name}, ${field}[${index}]`,
      conditions: conditionsOf(rule, family),
      action: rule.action === 'Accept' ? 'accept' : 'reject',
    })),
  )
}

function conditionsOf(rule: BGPFilterRule, family: Family): FilterCondition[] {
  return [
    ...(rule.cidr === undefined ? [] : [networkCondition({ ...rule, cidr: rule.cidr }, family)]),
    ...(rule.source === undefined ? [] : [{ source: 'bgp' as const }]),
    ...(rule.interface === undefined ? [] : [{ interface: rule.interface }]),
  ]
}

function networkCondition(rule: BGPFilterRule & { cidr: string }, family: Family): FilterCondition {
  const { matchOperator: operator, prefixLength: length } = rule
  const cidr = parseCidr(rule.cidr)
  const isEqual = operator === 'Equal' || operator === 'NotEqual'
  const shortest = Math.max(length?.min ?? 0, cidr.prefixLength)
  const longest = length?.max ?? (family === 4 ? 32 : 128)
  const inside = length === undefined ? ('covered' as const) : { shortest, longest }
  return {
    networks: [{ cidr: formatCidr(cidr), match: isEqual ? 'exact' : inside }],
    ...(operator === 'NotEqual' || operator === 'NotIn' ? { isNegated: true } : {}),
  }
}

function communityTerm({ cidr, communities }: PrefixAdvertisement, family: Family): FilterTerm[] {
  const networks = patterns(ofFamily([cidr], family), 'covered')
  if (communities.length === 0) return []
  return [{ conditions: [{ networks }], action: { addCommunities: communities } }]
}

function term(comment: string, networks: readonly NetworkPattern[], action: 'accept' | 'reject'): FilterTerm {
  return { comment, conditions: [{ networks }], action }
}

function withNetworks(terms: readonly FilterTerm[]): FilterTerm[] {
  return terms.filter(({ conditions }) => !conditions.some((each) => 'networks' in each && each.networks.length === 0))
}

function poolCidrs(pools: readonly IPPool[], family: Family): string[] {
  return ofFamily(
    pools.map(({ spec }) => spec.cidr),
    family,
  )
}

/** Those of the family, sorted, without repeats. */
export function ofFamily(cidrs: readonly string[], family: Family): string[] {
  return [...new Set(cidrs)]
    .filter((cidr) => parseCidr(cidr).family === family)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

/** A prefix of more than one address. */
export function isNotHost(cidr: string): boolean {
  const { family, prefixLength } = parseCidr(cidr)
  return prefixLength < (family === 4 ? 32 : 128)
}

function patterns(cidrs: readonly string[], match: NetworkPattern['match']): NetworkPattern[] {
  return cidrs.map((cidr) => ({ cidr: formatCidr(parseCidr(cidr)), match }))
}
