import { cidrContains, parseCidr } from '../../base/ip.ts'
import { KernelError } from '../errors.ts'
import type { FdbEntry, Neighbor, Route, Rule } from '../kernel.ts'
import { hasDevice, isSameRule, normalizeRoute, routeKey, rulePrefix } from '../normalize.ts'
import type { FakeNamespace } from './namespace.ts'

const LINK_SCOPE = 253

export function ensureRoute(netns: FakeNamespace, route: Route): void {
  const wanted = resolve(netns, normalizeRoute(route))
  const key = routeKey(wanted)
  const at = netns.routes.findIndex((each) => routeKey(each) === key)
  if (at < 0) netns.routes.push(wanted)
  else netns.routes[at] = wanted
  netns.emit({ kind: 'route', action: 'new', object: wanted })
}

/** Deletes the first route, by metric, that matches what is given; unset fields match anything. */
export function deleteRoute(netns: FakeNamespace, route: Route): void {
  const wanted = normalizeRoute(route)
  const candidates = netns.routes
    .filter((each) => each.destination === wanted.destination && each.table === wanted.table)
    .filter((each) => each.family === wanted.family && each.type === wanted.type && matches(each, route))
    .sort((one, other) => (one.metric ?? 0) - (other.metric ?? 0))
  const found = candidates[0]
  if (found === undefined) return
  netns.routes = netns.routes.filter((each) => each !== found)
  netns.emit({ kind: 'route', action: 'delete', object: found })
}

export function ensureRule(netns: FakeNamespace, rule: Rule): void {
  if (netns.rules.some((each) => isSameRule(each, { ...rule, protocol: each.protocol ?? 0 }))) return
  const { from, to, ...rest } = rule
  const [source, destination] = [rulePrefix(from), rulePrefix(to)]
  const stored: Rule = {
    ...rest,
    ...(source === undefined ? {} : { from: source }),
    ...(destination === undefined ? {} : { to: destination }),
    protocol: rule.protocol ?? 0,
  }
  netns.rules = [...netns.rules, stored].sort(byFamilyAndPriority)
  netns.emit({ kind: 'rule', action: 'new', object: stored })
}

export function deleteRule(netns: FakeNamespace, rule: Rule): void {
  const found = netns.rules.find((each) => isSameRule(each, rule))
  if (found === undefined) return
  netns.rules = netns.rules.filter((each) => each !== found)
  netns.emit({ kind: 'rule', action: 'delete', object: found })
}

export function ensureNeighbor(netns: FakeNamespace, neighbor: Neighbor): void {
  netns.getLink(neighbor.device)
  const { mac, ...rest } = neighbor
  const isProxy = neighbor.isProxy === true
  const stored: Neighbor = {
    ...rest,
    ...(mac === undefined || isProxy ? {} : { mac: mac.toLowerCase() }),
    isPermanent: neighbor.isPermanent === true,
    isProxy,
  }
  netns.neighbors = [...netns.neighbors.filter((each) => !isSameNeighbor(each, neighbor)), stored]
  netns.emit({ kind: 'neighbor', action: 'new', object: stored })
}

export function deleteNeighbor(netns: FakeNamespace, neighbor: Neighbor): void {
  const found = netns.neighbors.find((each) => isSameNeighbor(each, neighbor))
  if (found === undefined) return
  netns.neighbors = netns.neighbors.filter((each) => each !== found)
  netns.emit({ kind: 'neighbor', action: 'delete', object: found })
}

export function ensureFdb(netns: FakeNamespace, entry: FdbEntry): void {
  netns.getLink(entry.device)
  const stored = { ...entry, mac: entry.mac.toLowerCase() }
  netns.fdb = [...netns.fdb.filter((each) => !isSameMac(each, stored)), stored]
  netns.emit({ kind: 'fdb', action: 'new', object: stored })
}

export function deleteFdb(netns: FakeNamespace, entry: FdbEntry): void {
  const found = netns.fdb.find((each) => isSameMac(each, entry) && each.destination === entry.destination)
  if (found === undefined) return
  netns.fdb = netns.fdb.filter((each) => each !== found)
  netns.emit({ kind: 'fdb', action: 'delete', object: found })
}

function isSameMac(one: FdbEntry, other: FdbEntry): boolean {
  return one.device === other.device && one.mac === other.mac.toLowerCase()
}

/** Checks what the kernel checks of a route's way, and finds the device of a gateway that names none. */
function resolve(netns: FakeNamespace, route: Route): Route {
  if (!hasDevice(route.type)) return route
  if (route.nextHops !== undefined) {
    return { ...route, nextHops: route.nextHops.map((hop) => ({ ...hop, device: wayOut(netns, route, hop) })) }
  }
  return { ...route, device: wayOut(netns, route, route) }
}

function wayOut(
  netns: FakeNamespace,
  route: Route,
  hop: { gateway?: string | undefined; device?: string | undefined },
): string {
  if (hop.device !== undefined && !netns.getLink(hop.device).isUp) {
    throw new KernelError('route', 'ENETDOWN', 'Device for nexthop is not up')
  }
  if (hop.gateway === undefined || (route.onlink === true && hop.device !== undefined)) return hop.device ?? noDevice()
  const gateway = hop.gateway
  const subnet = netns.routes.find(
    (each) =>
      each.family === route.family &&
      each.gateway === undefined &&
      (each.scope === LINK_SCOPE || each.family === 6) &&
      each.type === 'unicast' &&
      (hop.device === undefined || each.device === hop.device) &&
      cidrContains(parseCidr(each.destination), gateway),
  )
  if (subnet?.device === undefined) {
    throw new KernelError('route', route.family === 4 ? 'ENETUNREACH' : 'EHOSTUNREACH', 'Nexthop has invalid gateway')
  }
  return subnet.device
}

function noDevice(): never {
  throw new KernelError('route', 'ENODEV', 'a route needs a device or a gateway')
}

function matches(route: Route, wanted: Route): boolean {
  const agree = (key: 'gateway' | 'device' | 'source' | 'metric' | 'protocol'): boolean =>
    wanted[key] === undefined || wanted[key] === route[key]
  return (
    agree('gateway') && agree('device') && agree('source') && agree('protocol') && (!wanted.metric || agree('metric'))
  )
}

function isSameNeighbor(one: Neighbor, other: Neighbor): boolean {
  const sameEntry = one.address === other.address && one.device === other.device
  return sameEntry && (one.isProxy === true) === (other.isProxy === true)
}

function byFamilyAndPriority(one: Rule, other: Rule): number {
  return one.family - other.family || one.priority - other.priority
}
