import { cidrContains, type Family, familyOf, parseCidr, parseInterfaceAddress } from '../base/ip.ts'
import type { Route, Rule } from '../kernel/kernel.ts'
import type { NetnsFacts } from './facts.ts'

/** A packet as far as routing looks at it. */
export interface Packet {
  readonly destination: string
  /** Absent: the socket is not bound; the route says which. */
  readonly source?: string | undefined
  /** Absent: it is sent from here. */
  readonly inputDevice?: string | undefined
}

/** What the kernel makes of a packet. */
export interface Decision {
  readonly rule: Rule
  readonly route: Route
  /** The source that the packet has then. */
  readonly source: string | undefined
  /** For this very host. */
  readonly isLocal: boolean
}

const mainTable = 254

/**
 * The rule and the route that the kernel uses: rules in order, of each table the longest prefix that holds the
 * destination, of equal ones the lowest metric. Undefined when nothing matches. Firewall marks are taken to be none.
 */
export function decide({ rules, routes, devices }: NetnsFacts, packet: Packet): Decision | undefined {
  const family = familyOf(packet.destination)
  for (const rule of rules) {
    if (rule.family !== family || !matches(rule, packet)) continue
    const route = longest(
      routes.filter((each) => (each.table ?? mainTable) === rule.table && isFor(each, family, packet)),
    )
    if (route === undefined || isSuppressed(rule, route)) continue
    const source = packet.source ?? route.source ?? sourceOn(devices, route, family)
    return { rule, route, source, isLocal: route.type === 'local' }
  }
  return undefined
}

/** `rule 1000: from 10.144.0.5/32 lookup 1000`, without what every packet matches. */
export function describeRule({ priority, from, to, inputDevice, table, suppressPrefixLength }: Rule): string {
  const parts = [
    from === undefined ? undefined : `from ${from}`,
    to === undefined ? undefined : `to ${to}`,
    inputDevice === undefined ? undefined : `iif ${inputDevice}`,
    `lookup ${tableName(table)}`,
    suppressPrefixLength === undefined ? undefined : `without its prefixes up to /${suppressPrefixLength}`,
  ]
  return `rule ${priority}: ${parts.filter((part) => part !== undefined).join(' ')}`
}

export function describeRoute({ destination, gateway, device, type }: Route): string {
  const isDefault = parseCidr(destination).prefixLength === 0
  const kind = type === undefined || type === 'unicast' ? '' : `${type} `
  const via = gateway === undefined ? '' : ` via ${gateway}`
  return `route ${kind}${isDefault ? 'default' : destination}${via}${device === undefined ? '' : ` dev ${device}`}`
}

/** An unbound packet has no source yet: rules that ask for one do not match it. */
function matches(rule: Rule, { source, destination, inputDevice }: Packet): boolean {
  if (rule.mark !== undefined && rule.mark !== 0) return false
  if (rule.inputDevice !== undefined && rule.inputDevice !== (inputDevice ?? 'lo')) return false
  if (rule.to !== undefined && !cidrContains(parseCidr(rule.to), destination)) return false
  return rule.from === undefined || (source !== undefined && cidrContains(parseCidr(rule.from), source))
}

function isFor(route: Route, family: Family, { destination }: Packet): boolean {
  return route.family === family && cidrContains(parseCidr(route.destination), destination)
}

function longest(routes: readonly Route[]): Route | undefined {
  const length = (route: Route): number => parseCidr(route.destination).prefixLength
  return [...routes].sort((a, b) => length(b) - length(a) || (a.metric ?? 0) - (b.metric ?? 0))[0]
}

function isSuppressed({ suppressPrefixLength }: Rule, route: Route): boolean {
  return suppressPrefixLength !== undefined && parseCidr(route.destination).prefixLength <= suppressPrefixLength
}

/** The first address of the device, one that has the gateway in its subnet before others. */
function sourceOn(devices: NetnsFacts['devices'], route: Route, family: Family): string | undefined {
  const own = (devices.find(({ name }) => name === route.device)?.addresses ?? [])
    .map(parseInterfaceAddress)
    .filter((address) => address.family === family)
  const { gateway } = route
  const near = own.find(({ address, prefixLength }) => {
    return gateway !== undefined && cidrContains(parseCidr(`${address}/${prefixLength}`), gateway)
  })
  return (near ?? own[0])?.address
}

function tableName(table: number): string {
  return { 253: 'default', 254: 'main', 255: 'local' }[table] ?? String(table)
}
