import { formatCidr, parseCidr } from '../../base/ip.ts'
import type { CniResult, CniRoute } from '../../cni/result.ts'
import type { MainTableChange } from './main-table.ts'
import { isInMainTable } from './routes.ts'
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
  return { ...result, routes: [...added, ...result.routes.filter(stays)] }
}
