import { formatCidr, parseCidr } from '../../base/ip.ts'
import { withImpliedGateway } from '../../cni/implied-gateway.ts'
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

/** A default route says its gateway, because network-status and the runtime read it from there. */
function withGateway(route: CniRoute, { ips }: CniResult): CniRoute {
  return isDefault(route) && isInMainTable(route) ? withImpliedGateway(route, ips) : route
}
