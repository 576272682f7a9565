import { familyOf, parseCidr } from '../base/ip.ts'
import type { CniIp, CniRoute } from './result.ts'

/**
 * CNI lets a route leave its gateway out; plugins then take the first one that the addresses of its family name (as the
 * reference plugins do). A route with a scope is on the link and has none.
 */
export function withImpliedGateway(route: CniRoute, ips: readonly CniIp[]): CniRoute {
  if (route.gw !== undefined || route.scope !== undefined) return route
  const { family } = parseCidr(route.dst)
  const gw = ips.find(({ gateway }) => gateway !== undefined && familyOf(gateway) === family)?.gateway
  return gw === undefined ? route : { ...route, gw }
}
