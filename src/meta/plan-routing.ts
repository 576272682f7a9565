import {
  cidrContains,
  cidrOf,
  type Family,
  familyOf,
  formatCidr,
  parseCidr,
  parseInterfaceAddress,
} from '../base/ip.ts'
import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { CniIp, CniResult, CniRoute } from '../cni/result.ts'

/** An attachment as far as routing is concerned. */
export interface RoutedAttachment {
  readonly ifName: string
  readonly networkName: string
  /** What its network reported. */
  readonly result: CniResult
  /** `default-route` of the pod's annotation. */
  readonly defaultRoute?: readonly string[] | undefined
}

/** A route as kernel/kernel.ts has it. */
export interface PlannedRoute {
  readonly family: Family
  readonly destination: string
  readonly device: string
  readonly gateway?: string
  readonly source?: string
  readonly scope?: number
  readonly table?: number
}

export interface PlannedRule {
  readonly family: Family
  readonly priority: number
  readonly table: number
  readonly from: string
}

/** Operations of kernel/kernel.ts, in order, for the pod's namespace. */
export type RoutingOperation =
  | { readonly op: 'ensureRoute' | 'deleteRoute'; readonly route: PlannedRoute }
  | { readonly op: 'ensureRule'; readonly rule: PlannedRule }

export interface RoutingPlan {
  readonly operations: readonly RoutingOperation[]
  /** The results as they are true afterwards, in the order of the attachments. */
  readonly results: readonly CniResult[]
  /** One sentence each, for a Warning event. */
  readonly warnings: readonly string[]
}

/** First table and rule priority in a pod's namespace; attachment n has both plus n. */
export const firstPodTable = 1000

const scopeLink = 253
const defaultDestination: Record<Family, string> = { 4: '0.0.0.0/0', 6: '::/0' }

/**
 * Which default routes a pod has, and the policy rules that make a reply leave by the interface that the request came
 * in by.
 *
 * `default-route` moves the default route of the families of its gateways and of no other. An empty list keeps what
 * the networks installed (intent of the NPWG standard; Multus removes all). A gateway outside the attachment's subnet
 * is replaced by the attachment's own, with a warning: one annotation then works on every node. Throws CniError when
 * there is none.
 */
export function planRouting(attachments: readonly RoutedAttachment[]): RoutingPlan {
  const owners = findOwners(attachments)
  const main = attachments.flatMap((attachment) => planMainTable(attachment, owners))
  const rules = attachments.length < 2 ? [] : attachments.flatMap(planSourceRouting)
  return {
    operations: [
      ...main.filter((step) => step.op === 'deleteRoute'),
      ...rules,
      ...main.filter((step) => step.op !== 'deleteRoute'),
    ],
    results: attachments.map((attachment) => adjustResult(attachment, owners)),
    warnings: owners.flatMap((owner) => (owner.warning === undefined ? [] : [owner.warning])),
  }
}

/** Who has the pod's default route of a family, because the annotation says so. */
interface DefaultOwner {
  readonly family: Family
  readonly ifName: string
  readonly gateway: string
  readonly warning: string | undefined
}

function findOwners(attachments: readonly RoutedAttachment[]): DefaultOwner[] {
  return attachments.flatMap((attachment) =>
    (attachment.defaultRoute ?? []).map((gateway) => chooseGateway(attachment, gateway)),
  )
}

function chooseGateway(attachment: RoutedAttachment, wanted: string): DefaultOwner {
  const family = familyOf(wanted)
  const { ifName, networkName } = attachment
  const own = gatewayOf(attachment.result, family)
  if (own === wanted || isOnLink(attachment.result, wanted))
    return { family, ifName, gateway: wanted, warning: undefined }
  if (own === undefined) {
    throw new CniError(
      cniErrorCode.invalidNetworkConfig,
      `default-route ${wanted} is not on the subnet of network "${networkName}" (${ifName}), which has no gateway of its own`,
      { fix: `Name a gateway on ${subnetsOf(attachment.result, family).join(', ') || `an IPv${family} subnet`}.` },
    )
  }
  const warning = `default-route ${wanted} is not on the subnet of network "${networkName}" (${ifName}) on this node; its own gateway ${own} is used`
  return { family, ifName, gateway: own, warning }
}

function planMainTable(attachment: RoutedAttachment, owners: readonly DefaultOwner[]): RoutingOperation[] {
  const { ifName: device, result } = attachment
  return owners.flatMap((owner): RoutingOperation[] => {
    const destination = defaultDestination[owner.family]
    const removed = defaultRoutesOf(result, owner.family)
      .filter((route) => owner.ifName !== device || route.gw !== owner.gateway)
      .map((route): RoutingOperation => ({ op: 'deleteRoute', route: toRoute(route, device) }))
    if (owner.ifName !== device) return removed
    const route = { family: owner.family, destination, device, gateway: owner.gateway }
    return [...removed, ...linkRouteTo(result, owner.gateway, device), { op: 'ensureRoute', route }]
  })
}

/** A table that holds all that the attachment can reach, and a rule for each of its addresses that leads there. */
function planSourceRouting(attachment: RoutedAttachment, index: number): RoutingOperation[] {
  const table = firstPodTable + index
  const { ifName: device, result } = attachment
  return ([4, 6] as const).flatMap((family) => {
    const ips = result.ips.filter((ip) => familyOfCidr(ip.address) === family)
    const wanted = (attachment.defaultRoute ?? []).find((address) => familyOf(address) === family)
    const gateway = wanted === undefined ? gatewayOf(result, family) : chooseGateway(attachment, wanted).gateway
    if (gateway === undefined || ips.length === 0) return []
    const routes = [
      ...ips.flatMap((ip) => subnetRoute(ip, device)),
      ...linkRouteTo(result, gateway, device).map((step) => step.route),
      ...result.routes.filter((route) => isSpecific(route, family)).map((route) => toRoute(route, device)),
      { family, destination: defaultDestination[family], device, gateway },
    ]
    return [
      ...uniqueRoutes(routes).map((route): RoutingOperation => ({ op: 'ensureRoute', route: { ...route, table } })),
      ...ips.map((ip): RoutingOperation => ({ op: 'ensureRule', rule: sourceRule(ip, table) })),
    ]
  })
}

function sourceRule(ip: CniIp, table: number): PlannedRule {
  const { family, address } = parseInterfaceAddress(ip.address)
  return { family, priority: table, table, from: `${address}/${family === 4 ? 32 : 128}` }
}

/** The route that the kernel adds with an address, for a table of one's own. None for a single address. */
function subnetRoute(ip: CniIp, device: string): PlannedRoute[] {
  const { family, address, prefixLength } = parseInterfaceAddress(ip.address)
  if (prefixLength === (family === 4 ? 32 : 128)) return []
  const destination = formatCidr(cidrOf(address, prefixLength, family))
  return [{ family, destination, device, ...(family === 4 ? { scope: scopeLink, source: address } : {}) }]
}

/** Without a subnet that holds the gateway, the kernel must be told that it is on the link. */
function linkRouteTo(result: CniResult, gateway: string, device: string): (RoutingOperation & { op: 'ensureRoute' })[] {
  if (isOnLink(result, gateway)) return []
  const family = familyOf(gateway)
  const destination = `${gateway}/${family === 4 ? 32 : 128}`
  return [{ op: 'ensureRoute', route: { family, destination, device, ...(family === 4 ? { scope: scopeLink } : {}) } }]
}

function adjustResult(attachment: RoutedAttachment, owners: readonly DefaultOwner[]): CniResult {
  const families = new Set(owners.map((owner) => owner.family))
  const kept = attachment.result.routes.filter((route) => !isDefault(route) || !families.has(familyOfCidr(route.dst)))
  const added = owners
    .filter((owner) => owner.ifName === attachment.ifName)
    .map((owner): CniRoute => ({ dst: defaultDestination[owner.family], gw: owner.gateway }))
  return { ...attachment.result, routes: [...added, ...kept] }
}

/** The attachment's own gateway: that of its default route, of its address, or of any other of its routes. */
function gatewayOf(result: CniResult, family: Family): string | undefined {
  const candidates = [
    ...defaultRoutesOf(result, family).map((route) => route.gw),
    ...result.ips.map((ip) => ip.gateway),
    ...result.routes.map((route) => route.gw),
  ]
  return candidates.find((gateway) => gateway !== undefined && familyOf(gateway) === family)
}

function defaultRoutesOf(result: CniResult, family: Family): CniRoute[] {
  return result.routes.filter((route) => isDefault(route) && familyOfCidr(route.dst) === family)
}

function isDefault(route: CniRoute): boolean {
  return parseCidr(route.dst).prefixLength === 0
}

/** A route of the main table to somewhere in particular. */
function isSpecific(route: CniRoute, family: Family): boolean {
  return !isDefault(route) && familyOfCidr(route.dst) === family && (route.table ?? 254) === 254
}

function toRoute(route: CniRoute, device: string): PlannedRoute {
  const cidr = parseCidr(route.dst)
  const scope = route.scope ?? (route.gw === undefined && cidr.family === 4 ? scopeLink : undefined)
  return {
    family: cidr.family,
    destination: formatCidr(cidr),
    device,
    ...(route.gw === undefined ? {} : { gateway: route.gw }),
    ...(scope === undefined ? {} : { scope }),
  }
}

function isOnLink(result: CniResult, gateway: string): boolean {
  const family = familyOf(gateway)
  if (family === 6 && cidrContains(parseCidr('fe80::/10'), gateway)) return true
  return subnetsOf(result, family).some((subnet) => cidrContains(parseCidr(subnet), gateway))
}

function subnetsOf(result: CniResult, family: Family): string[] {
  return result.ips.filter((ip) => familyOfCidr(ip.address) === family).map((ip) => formatCidr(parseCidr(ip.address)))
}

function familyOfCidr(text: string): Family {
  return parseCidr(text).family
}

function uniqueRoutes(routes: readonly PlannedRoute[]): PlannedRoute[] {
  return [...new Map(routes.map((route) => [route.destination, route])).values()]
}
