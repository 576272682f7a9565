import {
  cidrContains,
  cidrOf,
  type Family,
  familyOf,
  formatCidr,
  hostPrefixOf,
  parseCidr,
  parseInterfaceAddress,
} from '../../base/ip.ts'
import type { CniIp, CniResult, CniRoute } from '../../cni/result.ts'
import type { PlannedRoute, RoutedAttachment } from './types.ts'

export const families = [4, 6] as const
export const defaultDestination: Record<Family, string> = { 4: '0.0.0.0/0', 6: '::/0' }

const mainTable = 254
const scopeLink = 253
const linkLocal = parseCidr('fe80::/10')

/** Routes of the main table that an attachment came with: as read from the kernel, else as its result implies. */
export function installedRoutes({ ifName, result, routing }: RoutedAttachment): readonly PlannedRoute[] {
  if (routing.installed !== undefined) return routing.installed
  const connected = result.ips.flatMap((ip) => subnetRoute(ip, ifName))
  return [...connected, ...result.routes.filter(isInMainTable).map((route) => toRoute(route, ifName))]
}

/** The attachment's own gateway: that of its default route, of its address, or of any other of its routes. */
export function gatewayOf({ result }: Pick<RoutedAttachment, 'result'>, family: Family): string | undefined {
  const candidates = [
    ...result.routes.filter(isDefault).map((route) => route.gw),
    ...result.ips.map((ip) => ip.gateway),
    ...result.routes.map((route) => route.gw),
  ]
  return candidates.find((gateway) => gateway !== undefined && familyOf(gateway) === family)
}

/** Without a subnet that holds the gateway, the kernel must be told that it is on the link. */
export function linkRouteTo(result: CniResult, gateway: string, device: string): PlannedRoute[] {
  if (isOnLink(result, gateway)) return []
  const family = familyOf(gateway)
  return [{ family, destination: hostPrefixOf(gateway), device, ...linkScope(family) }]
}

export function isOnLink(result: CniResult, gateway: string): boolean {
  const family = familyOf(gateway)
  if (family === 6 && cidrContains(linkLocal, gateway)) return true
  return subnetsOf(result, family).some((subnet) => cidrContains(parseCidr(subnet), gateway))
}

export function subnetsOf(result: CniResult, family: Family): string[] {
  return addressesOf(result, family).map((ip) => formatCidr(parseCidr(ip.address)))
}

export function addressesOf(result: CniResult, family: Family): CniIp[] {
  return result.ips.filter((ip) => parseInterfaceAddress(ip.address).family === family)
}

export function isDefault(route: Pick<CniRoute, 'dst'>): boolean {
  return parseCidr(route.dst).prefixLength === 0
}

/** Plugins such as sbr put routes into tables of their own; those are left alone. */
export function isInMainTable(route: CniRoute): boolean {
  return (route.table ?? mainTable) === mainTable
}

/** The route that the kernel adds with an address. None for a single address. */
function subnetRoute(ip: CniIp, device: string): PlannedRoute[] {
  const { family, address, prefixLength } = parseInterfaceAddress(ip.address)
  if (prefixLength === (family === 4 ? 32 : 128)) return []
  const destination = formatCidr(cidrOf(address, prefixLength, family))
  return [{ family, destination, device, ...linkScope(family), ...(family === 4 ? { source: address } : {}) }]
}

function toRoute({ dst, gw, scope, priority }: CniRoute, device: string): PlannedRoute {
  const cidr = parseCidr(dst)
  return {
    family: cidr.family,
    destination: formatCidr(cidr),
    device,
    ...(gw === undefined ? linkScope(cidr.family) : { gateway: gw }),
    ...(scope === undefined ? {} : { scope }),
    ...(priority === undefined ? {} : { metric: priority }),
  }
}

function linkScope(family: Family): { scope?: number } {
  return family === 4 ? { scope: scopeLink } : {}
}
