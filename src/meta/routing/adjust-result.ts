import { familyOf, formatCidr, parseCidr } from '../../base/ip.ts'
import type { CniResult, CniRoute } from '../../cni/result.ts'
import type { MainTableChange } from './main-table.ts'
import { isDefault, isInMainTable } from './routes.ts'
import type { RoutedAttachment } from './types.ts'

/** The result as it is true once the main table is changed: the routes that the runtime is told of are the kernel's. */
export function adjustResult({ ifName, result }: RoutedAttachment, change: MainTableChange): CniResult {
  const added = change.added
    .filter((route) => route.device === ifName)
    .map(
      ({ destination, gateway }): CniRoute => ({
        dst: destination,
        ...(gateway === undefined ? {} : { gw: gateway }),
      }),
    )
  const gone = new Set([
    ...change.removed.filter((route) => route.device === ifName).map((route) => route.destination),
    ...added.map((route) => route.dst),
  ])
  const stays = (route: CniRoute): boolean => !isInMainTable(route) || !gone.has(formatCidr(parseCidr(route.dst)))
  const kept = result.routes.filter(stays).map((route) => withGateway(route, result))
  return { ...result, routes: [...added, ...kept] }
}

/**
 * CNI lets a route leave its gateway out; plugins then take the first one that the addresses of its family name. A
 * default route says it, because network-status and the runtime read it from there. One with a scope is on the link.
 */
function withGateway(route: CniRoute, { ips }: CniResult): CniRoute {
  if (route.gw !== undefined || route.scope !== undefined || !isDefault(route) || !isInMainTable(route)) return route
  const { family } = parseCidr(route.dst)
  const gw = ips.find(({ gateway }) => gateway !== undefined && familyOf(gateway) === family)?.gateway
  return gw === undefined ? route : { ...route, gw }
}
