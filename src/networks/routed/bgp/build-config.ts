import { cidrOf, type Family, familyOf, formatCidr } from '../../../base/ip.ts'
import type { BirdConfig, BirdFilter, BirdLogClass, BirdProtocol, StaticRoute } from '../../../bird/config.ts'
import type { BGPFilter } from '../resources.ts'
import type { BgpNode } from './bgp-node.ts'
import type { BgpSettings } from './bgp-settings.ts'
import {
  type FilterInput,
  isNotHost,
  kernelFilter,
  learnedFilter,
  ofFamily,
  peerTerms,
  ruleTerms,
} from './build-filters.ts'
import { bgpProtocol, isWatched, sessionName } from './build-session.ts'
import { routerIdOf } from './router-id.ts'
import type { BgpSession } from './select-peers.ts'

export interface BirdInput {
  readonly local: BgpNode
  readonly sessions: readonly BgpSession[]
  /** Prefixes of blocks that are confirmed to be the local node's. */
  readonly ownBlocks: readonly string[]
  /** Prefixes of service addresses that this node announces. */
  readonly serviceRoutes: readonly string[]
  readonly pools: FilterInput['pools']
  /** Prefixes of pools whose addresses this node reaches through tunnels. @default none */
  readonly carried?: readonly string[]
  readonly filters: readonly BGPFilter[]
  readonly settings: BgpSettings
  /** Passwords of sessions that have one, by `<address>:<port>`. */
  readonly passwords?: ReadonlyMap<string, string>
}

/** BIRD's default is 240: with one peer down, a node that restarts would be without routes for four minutes. */
const gracefulRestartWaitSeconds = 15

/** A peer that is gone is noticed after 300 ms. */
const bfdTimes = { intervalMs: 100, multiplier: 3 }

/** The configuration of this node's BIRD (as Calico does), for the families in which the node has an address. */
export function buildBirdConfig(input: BirdInput): BirdConfig {
  const families = ([4, 6] as const).filter((family) => input.local.addresses[family] !== undefined)
  const servicePrefixes = Object.values(input.settings.servicePrefixes).flat()
  const isReflector = input.local.routeReflectorClusterId !== undefined
  const filterInput: FilterInput = { ...input, ...input.settings, servicePrefixes, isReflector }
  return {
    routerId: routerIdOf(input.local),
    log: { target: 'stderr', classes: logClasses(input.settings.logSeverity) },
    gracefulRestartWaitSeconds,
    filters: [
      ...families.flatMap((family) => familyFilters(filterInput, family)),
      ...input.sessions.flatMap((session) => sessionFilters(session, input, filterInput)),
    ],
    protocols: [
      { protocol: 'device', scanSeconds: 2 },
      ...(input.sessions.some(isWatched) ? [{ protocol: 'bfd' as const, name: 'bfd1', ...bfdTimes }] : []),
      ...families.flatMap((family) => localProtocols(input, family)),
      ...input.sessions.map((session) => bgpProtocol(session, { ...input, ...filterNames(session) })),
    ],
  }
}

function familyFilters(input: FilterInput, family: Family): BirdFilter[] {
  return [
    { name: toPeers(family), terms: peerTerms(input, family), otherwise: 'reject' },
    kernelFilter(input, family, toKernel(family)),
    learnedFilter(fromKernel(family)),
  ]
}

function toPeers(family: Family): string {
  return family === 4 ? 'twinlane_to_peers' : 'twinlane_to_peers6'
}

function toKernel(family: Family): string {
  return family === 4 ? 'twinlane_to_kernel' : 'twinlane_to_kernel6'
}

function fromKernel(family: Family): string {
  return family === 4 ? 'twinlane_from_kernel' : 'twinlane_from_kernel6'
}

/** A session with BGPFilters of its own has filters of its own: first its rules, then what all sessions do. */
function sessionFilters(session: BgpSession, { filters }: BirdInput, input: FilterInput): BirdFilter[] {
  const named = findFilters(session, filters)
  if (named.length === 0) return []
  const family = familyOf(session.address)
  const { importFilter, exportFilter } = ownFilterNames(session)
  return [
    { name: importFilter, terms: ruleTerms(named, 'import', family), otherwise: 'accept' },
    {
      name: exportFilter,
      terms: [...ruleTerms(named, 'export', family), ...peerTerms(input, family)],
      otherwise: 'reject',
    },
  ]
}

function findFilters({ options }: BgpSession, filters: readonly BGPFilter[]): BGPFilter[] {
  return (options.filters ?? []).flatMap((name) => filters.filter(({ metadata }) => metadata.name === name))
}

function filterNames(session: BgpSession): { exportFilter: string; importFilter?: string } {
  if ((session.options.filters ?? []).length > 0) return ownFilterNames(session)
  return { exportFilter: toPeers(familyOf(session.address)) }
}

function ownFilterNames(session: BgpSession): { importFilter: string; exportFilter: string } {
  const name = sessionName(session)
  return { importFilter: `twinlane_from_${name}`, exportFilter: `twinlane_to_${name}` }
}

function localProtocols({ ownBlocks, serviceRoutes, sessions, settings }: BirdInput, family: Family): BirdProtocol[] {
  const blackholes = [...ofFamily(ownBlocks, family).filter(isNotHost), ...ofFamily(serviceRoutes, family)]
  const routes: StaticRoute[] = [
    ...blackholes.map((cidr) => ({ cidr, via: 'blackhole' as const })),
    ...sessions.filter(({ address }) => familyOf(address) === family).flatMap(reachableByRoute),
  ]
  const exceptInterfaces = ['cali*', 'kube-ipvs*', ...settings.ignoredInterfaces]
  return [
    { protocol: 'direct', name: `direct${family}`, family, exceptInterfaces },
    {
      protocol: 'kernel',
      name: `kernel${family}`,
      family,
      scanSeconds: 2,
      importFilter: fromKernel(family),
      exportFilter: toKernel(family),
    },
    { protocol: 'static', name: `static${family}`, family, routes },
  ]
}

function reachableByRoute({ address, options }: BgpSession): StaticRoute[] {
  if (options.reachableBy === undefined) return []
  const family = familyOf(address)
  return [
    { cidr: formatCidr(cidrOf(address, family === 4 ? 32 : 128, family)), via: { gateways: [options.reachableBy] } },
  ]
}

function logClasses(severity: string): BirdLogClass[] {
  const always: BirdLogClass[] = ['fatal', 'bug']
  const classes: Record<string, BirdLogClass[]> = {
    none: always,
    fatal: always,
    error: ['error', 'auth', ...always],
    warning: ['warning', 'error', 'auth', ...always],
    info: ['info', 'remote', 'warning', 'error', 'auth', ...always],
    debug: ['debug', 'trace', 'info', 'remote', 'warning', 'error', 'auth', ...always],
  }
  return classes[severity.toLowerCase()] ?? classes.info ?? always
}
