import { formatCidr, type InterfaceAddress, parseAddress, parseCidr, parseInterfaceAddress } from '../base/ip.ts'
import type { Route, Rule } from './kernel.ts'

const MAIN = 254
const BOOT = 3
const SCOPE = { universe: 0, link: 253, host: 254 } as const
/** What the kernel makes of an IPv6 route without a metric. */
const V6_METRIC = 1024

/** Parses the address of an operation; one without a length is a host's. */
export function operationAddress(text: string): InterfaceAddress {
  if (text.includes('/')) return parseInterfaceAddress(text)
  const { family, address } = parseAddress(text)
  return { family, address, prefixLength: family === 4 ? 32 : 128 }
}

/** The scope that iproute2 and this project give a route that names none. */
export function defaultScope(route: Route): number {
  if (route.family === 6) return SCOPE.universe
  const type = route.type ?? 'unicast'
  if (type === 'local') return SCOPE.host
  if (type === 'broadcast' || type === 'multicast' || type === 'anycast') return SCOPE.link
  const isDirect = type === 'unicast' && route.gateway === undefined && route.nextHops === undefined
  return isDirect ? SCOPE.link : SCOPE.universe
}

/** Whether routes of this type lead out of a device. */
export function hasDevice(type: Route['type']): boolean {
  return type === undefined || !['blackhole', 'unreachable', 'prohibit', 'throw'].includes(type)
}

/** A route as the kernel would list it after `ensureRoute`: canonical prefix, every default filled in. */
export function normalizeRoute(route: Route): Route {
  const metric = route.metric === undefined || route.metric === 0 ? defaultMetric(route) : route.metric
  return {
    family: route.family,
    destination: formatCidr(parseCidr(route.destination)),
    table: route.table ?? MAIN,
    protocol: route.protocol ?? BOOT,
    scope: route.scope ?? defaultScope(route),
    type: route.type ?? 'unicast',
    ...(route.source === undefined ? {} : { source: parseAddress(route.source).address }),
    ...(metric === undefined ? {} : { metric }),
    ...(route.mtuBytes === undefined ? {} : { mtuBytes: route.mtuBytes }),
    ...normalizeWay(route),
  }
}

/** Whether two routes are the same once defaults are filled in: what a reconciler compares desired and actual with. */
export function isSameRoute(one: Route, other: Route): boolean {
  return comparable(one) === comparable(other)
}

/** The kernel keeps next hops in an order of its own. */
function comparable(route: Route): string {
  const { nextHops, ...rest } = normalizeRoute(route)
  return JSON.stringify([rest, nextHops?.map((hop) => JSON.stringify(hop)).sort()])
}

/** What identifies a route in the kernel: another one with the same key would replace it. */
export function routeKey(route: Route): string {
  const { table, destination, metric } = normalizeRoute(route)
  return `${table} ${destination} ${metric ?? 0}`
}

/** Canonical text of a rule's prefix; undefined for "any", which a length of 0 also means. */
export function rulePrefix(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const { address, prefixLength } = operationAddress(text)
  return prefixLength === 0 ? undefined : formatCidr(parseCidr(`${address}/${prefixLength}`))
}

/** Whether two rules have the same conditions and effect; the protocol counts only when `other` names one. */
export function isSameRule(one: Rule, other: Rule): boolean {
  return (
    one.family === other.family &&
    one.priority === other.priority &&
    one.table === other.table &&
    rulePrefix(one.from) === rulePrefix(other.from) &&
    rulePrefix(one.to) === rulePrefix(other.to) &&
    one.inputDevice === other.inputDevice &&
    (one.mark ?? 0) === (other.mark ?? 0) &&
    one.suppressPrefixLength === other.suppressPrefixLength &&
    (other.protocol === undefined || one.protocol === other.protocol)
  )
}

function defaultMetric(route: Route): number | undefined {
  return route.family === 6 ? V6_METRIC : undefined
}

function normalizeWay(route: Route): Partial<Route> {
  if (!hasDevice(route.type)) return {}
  const onlink = route.onlink === true ? { onlink: true } : {}
  if (route.nextHops !== undefined)
    return { nextHops: route.nextHops.map((hop) => ({ ...normalizeHop(hop), weight: hop.weight ?? 1 })), ...onlink }
  return { ...normalizeHop(route), ...onlink }
}

function normalizeHop(hop: { gateway?: string | undefined; device?: string | undefined }): Partial<Route> {
  return {
    ...(hop.gateway === undefined ? {} : { gateway: parseAddress(hop.gateway).address }),
    ...(hop.device === undefined ? {} : { device: hop.device }),
  }
}
