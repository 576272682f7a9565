import { type Family, hostPrefixOf, parseInterfaceAddress } from '../../base/ip.ts'
import type { DefaultOwner } from './default-owners.ts'
import { addressesOf, defaultDestination, families, gatewayOf, installedRoutes, linkRouteTo } from './routes.ts'
import type { PlannedRoute, RoutedAttachment, RoutingOperation } from './types.ts'

/**
 * A table that holds all that the attachment can reach, and a rule for each of its addresses that leads there. The
 * table is a copy of what the attachment installed: two attachments on the same subnet stay apart.
 */
export function planSourceTable(attachment: RoutedAttachment, owners: readonly DefaultOwner[]): RoutingOperation[] {
  return families.flatMap((family) => {
    const addresses = addressesOf(attachment.result, family)
    const owner = owners.find((each) => each.family === family && each.ifName === attachment.ifName)
    const gateway = owner?.gateway ?? gatewayOf(attachment, family)
    if (gateway === undefined || addresses.length === 0) return []
    const { table } = attachment.routing
    return [
      ...tableRoutes(attachment, family, gateway).map(
        (route): RoutingOperation => ({ op: 'ensureRoute', route: { ...route, table } }),
      ),
      ...addresses.map((ip): RoutingOperation => {
        const from = hostPrefixOf(parseInterfaceAddress(ip.address).address)
        return { op: 'ensureRule', rule: { family, priority: table, table, from } }
      }),
    ]
  })
}

/** Routes on the link come first: the kernel refuses a gateway that it cannot reach. */
function tableRoutes(attachment: RoutedAttachment, family: Family, gateway: string): PlannedRoute[] {
  const { ifName: device, result } = attachment
  const destination = defaultDestination[family]
  const specific = installedRoutes(attachment)
    .filter((route) => route.family === family && route.destination !== destination)
    .map(({ metric, ...route }) => route)
  const routes = [
    ...linkRouteTo(result, gateway, device),
    ...specific.filter((route) => route.gateway === undefined),
    ...specific.filter((route) => route.gateway !== undefined),
    { family, destination, device, gateway },
  ]
  return [...new Map(routes.map((route) => [route.destination, route])).values()]
}
