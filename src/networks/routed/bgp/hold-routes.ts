import { isDeepStrictEqual } from 'node:util'
import { parseCidr } from '../../../base/ip.ts'
import type { BgpProtocol, BirdConfig, BirdFilter, StaticProtocol } from '../../../bird/config.ts'
import type { BirdRoute } from '../../../bird/routes.ts'
import type { BGPConfiguration } from '../resources.ts'

const families = [4, 6] as const

/** Below BGP's 100: a held route is used only while no peer says anything of the network. */
const heldPreference = 1

/**
 * Annotation of BGPConfiguration `default`, there while `twinlane bgp migrate` is at work: `<seconds> <ID of the run>`.
 * Every node holds what its peers announce until it is gone, or nothing has changed for so many seconds.
 */
export const holdAnnotation = 'twinlane.io/bgp-hold'

/** A hold of all routes that somebody asks for. */
export interface RouteHold {
  /** Tells two holds apart. */
  readonly key: string
  readonly ms: number
}

/** A migration that was killed and never run again must not hold routes for hours. */
const longestHoldSeconds = 600

/** What the annotation asks for; undefined without one, or with one that cannot be read. */
export function holdOf(configurations: readonly BGPConfiguration[]): RouteHold | undefined {
  const cluster = configurations.find(({ metadata }) => metadata.name === 'default')
  const key = cluster?.metadata.annotations?.[holdAnnotation] ?? ''
  const seconds = Number(/^(\d+) \S+$/.exec(key)?.[1] ?? 0)
  return seconds > 0 ? { key, ms: Math.min(seconds, longestHoldSeconds) * 1000 } : undefined
}

/** Whether a session that is there before will not be there as it is: then its routes go, until others bring them. */
export function losesSessions(before: BirdConfig, after: BirdConfig): boolean {
  const kept = new Map(sessionsOf(after).map((session) => [session.name, session]))
  return sessionsOf(before).some((session) => !isDeepStrictEqual(kept.get(session.name), session))
}

/** The configuration, in which the routes stay as they are for as long as no peer announces them. Peers are not told. */
export function holdRoutes(config: BirdConfig, held: readonly BirdRoute[]): BirdConfig {
  const protocols = families.flatMap((family): StaticProtocol[] => {
    const routes = held
      .filter(({ destination, gateways }) => parseCidr(destination).family === family && gateways.length > 0)
      .map(({ destination, gateways }) => ({ cidr: destination, via: { gateways } }))
    return routes.length === 0
      ? []
      : [{ protocol: 'static', name: heldName(family), family, preference: heldPreference, routes }]
  })
  if (protocols.length === 0) return config
  const names = protocols.map(({ name }) => name)
  const exports = new Set(sessionsOf(config).map(({ exportFilter }) => exportFilter))
  return {
    ...config,
    filters: config.filters.map((filter) => (exports.has(filter.name) ? withoutHeld(filter, names) : filter)),
    protocols: [...config.protocols, ...protocols],
  }
}

/** Those of the held routes that no peer announces. */
export function stillMissing(held: readonly BirdRoute[], announced: readonly BirdRoute[]): BirdRoute[] {
  const known = new Set(announced.map(({ destination }) => destination))
  return held.filter(({ destination }) => !known.has(destination))
}

function heldName(family: 4 | 6): string {
  return `held${family}`
}

function withoutHeld(filter: BirdFilter, names: readonly string[]): BirdFilter {
  const terms = names.map((name) => ({ conditions: [{ isFrom: name }], action: 'reject' as const }))
  return { ...filter, terms: [...terms, ...filter.terms] }
}

function sessionsOf({ protocols }: BirdConfig): BgpProtocol[] {
  return protocols.filter((protocol) => protocol.protocol === 'bgp')
}
