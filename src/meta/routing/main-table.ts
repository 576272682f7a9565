import { type Family, formatCidr, parseCidr } from '../../base/ip.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { DefaultOwner } from './default-owners.ts'
import { defaultDestination, families, gatewayOf, installedRoutes, linkRouteTo } from './routes.ts'
import type { PlannedRoute, RoutedAttachment } from './types.ts'

/** What changes in the pod's main table. */
export interface MainTableChange {
  readonly removed: readonly PlannedRoute[]
  /** Routes to gateways that no subnet holds, before the routes that need them. */
  readonly links: readonly PlannedRoute[]
  readonly added: readonly PlannedRoute[]
}

/**
 * Each destination that is decided about (a default route that moves, a prefix that is kept or taken) has one route
 * afterwards; all other routes stay.
 */
export function planMainTable(
  attachments: readonly RoutedAttachment[],
  owners: readonly DefaultOwner[],
): MainTableChange {
  const chosen = uniqueByDestination([
    ...attachments.flatMap((attachment) => keptRoutes(attachment, attachments)),
    ...attachments.flatMap(takenRoutes),
    ...owners.map(({ family, ifName, gateway }) => defaultRoute(family, ifName, gateway)),
  ])
  const installed = attachments.flatMap(installedRoutes)
  return {
    removed: installed.filter((route) =>
      chosen.some((other) => other.destination === route.destination && !isReplacedBy(route, other)),
    ),
    links: attachments.flatMap((attachment) => linksOf(attachment, chosen)),
    // A prefix goes where the default goes without a route of its own.
    added: chosen.filter((route) => isDecided(route) || !followsDefault(route, owners, installed)),
  }
}

/** Several attachments may have the same gateway; routes of one metric would replace one another. */
function linksOf(
  { ifName, result, isDefault, routing }: RoutedAttachment,
  chosen: readonly PlannedRoute[],
): PlannedRoute[] {
  const gateways = chosen.flatMap(({ device, gateway }) => (device === ifName ? (gateway ?? []) : []))
  const links = gateways.flatMap((gateway) => linkRouteTo(result, gateway, ifName))
  return isDefault ? links : links.map((route) => ({ ...route, metric: routing.table }))
}

/** The kernel replaces a route of the same metric; one of another metric would stay beside it. */
function isReplacedBy(route: PlannedRoute, other: PlannedRoute): boolean {
  const usualMetric = route.family === 4 ? 0 : 1024
  return isSame(route, other) && (route.metric ?? usualMetric) === usualMetric
}

/** Whether both lead to the same place the same way, whatever their metric and table. */
export function isSame(a: PlannedRoute, b: PlannedRoute): boolean {
  return a.destination === b.destination && a.device === b.device && a.gateway === b.gateway
}

function keptRoutes({ routing }: RoutedAttachment, attachments: readonly RoutedAttachment[]): PlannedRoute[] {
  const home = attachments.find((attachment) => attachment.isDefault)
  return home === undefined ? [] : routing.keep.flatMap((prefix) => routeThrough(home, prefix) ?? [])
}

function takenRoutes(attachment: RoutedAttachment): PlannedRoute[] {
  return attachment.routing.take.map((prefix) => {
    const route = routeThrough(attachment, prefix)
    if (route !== undefined) return route
    const { networkName, ifName } = attachment
    throw new CniError(
      cniErrorCode.invalidNetworkConfig,
      `network "${networkName}" (${ifName}) is to take ${prefix} from the default network, and has no gateway for it`,
      { fix: 'Give the network a gateway of this family, or remove the prefix from takeFromDefaultNetwork.' },
    )
  })
}

/** undefined where the attachment has no gateway of the family. */
function routeThrough(attachment: RoutedAttachment, prefix: string): PlannedRoute | undefined {
  const cidr = parseCidr(prefix)
  const gateway = gatewayOf(attachment, cidr.family)
  if (gateway === undefined) return undefined
  return { family: cidr.family, destination: formatCidr(cidr), device: attachment.ifName, gateway }
}

function defaultRoute(family: Family, device: string, gateway: string): PlannedRoute {
  return { family, destination: defaultDestination[family], device, gateway }
}

function isDecided({ destination }: PlannedRoute): boolean {
  return families.some((family) => defaultDestination[family] === destination)
}

function followsDefault(
  { family, device, gateway }: PlannedRoute,
  owners: readonly DefaultOwner[],
  installed: readonly PlannedRoute[],
): boolean {
  const owner = owners.find((each) => each.family === family)
  if (owner !== undefined) return owner.ifName === device && owner.gateway === gateway
  const usual = installed.find((route) => route.destination === defaultDestination[family])
  return usual?.device === device && usual.gateway === gateway
}

/** The last one wins: what an attachment takes is not kept. */
function uniqueByDestination(routes: readonly PlannedRoute[]): PlannedRoute[] {
  return [...new Map(routes.map((route) => [route.destination, route])).values()]
}
