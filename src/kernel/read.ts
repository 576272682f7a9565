import type { Family } from '../base/ip.ts'
import type { Address, FdbEntry, Link, Neighbor, Route, Rule } from './kernel.ts'
import { decodeAddress, encodeAddressQuery } from './netlink/address.ts'
import { RT_TABLE_MAIN, RTM } from './netlink/constants.ts'
import type { LinkReport } from './netlink/link.ts'
import { decodeFdb, decodeNeighbor, encodeFdbQuery, encodeNeighborQuery } from './netlink/neighbor.ts'
import { decodeRoute, encodeRouteQuery } from './netlink/route.ts'
import { decodeRule, encodeRuleQuery } from './netlink/rule.ts'
import type { Session } from './session.ts'
import { ignoreKernelCodes } from './tolerate.ts'

export interface RouteFilter {
  readonly table?: number
  readonly family?: Family
  readonly protocol?: number
  readonly device?: string
}

/** A report without what only the implementation needs. */
export function linkOf(report: LinkReport): Link {
  const { linkNetnsId: _, ...link } = report
  return link
}

export function readAddresses(session: Session, device?: string): Address[] {
  const index = device === undefined ? 0 : session.indexOf(device)
  const bodies = session.socket.dump('list addresses', { type: RTM.GETADDR, body: encodeAddressQuery(index) })
  return bodies.map(decodeAddress).filter((address) => address !== undefined)
}

export function readRoutes(session: Session, filter: RouteFilter = {}): Route[] {
  const families: Family[] = filter.family === undefined ? [4, 6] : [filter.family]
  const table = filter.table ?? RT_TABLE_MAIN
  const index = filter.device === undefined ? undefined : session.indexOf(filter.device)
  return families
    .flatMap((family) => dumpRoutes(session, encodeRouteQuery({ family, table, index, protocol: filter.protocol })))
    .map((body) => decodeRoute(body, session.nameOf))
    .filter((route) => route !== undefined)
    .filter((route) => route.table === table && matches(route, filter))
}

/** A table that has never held a route does not exist, which is the same as empty. */
function dumpRoutes(session: Session, body: Buffer): Buffer[] {
  try {
    return session.socket.dump('list routes', { type: RTM.GETROUTE, body })
  } catch (error) {
    ignoreKernelCodes(error, 'ENOENT', 'ESRCH')
    return []
  }
}

function matches(route: Route, filter: RouteFilter): boolean {
  const devices = [route.device, ...(route.nextHops ?? []).map((hop) => hop.device)]
  return (
    (filter.protocol === undefined || route.protocol === filter.protocol) &&
    (filter.device === undefined || devices.includes(filter.device))
  )
}

export function readRules(session: Session, family?: Family): Rule[] {
  const families: Family[] = family === undefined ? [4, 6] : [family]
  return families
    .flatMap((each) => session.socket.dump('list rules', { type: RTM.GETRULE, body: encodeRuleQuery(each) }))
    .map(decodeRule)
    .filter((rule) => rule !== undefined)
}

export function readNeighbors(session: Session, device?: string): Neighbor[] {
  if (device !== undefined) session.indexOf(device)
  return [false, true]
    .flatMap((isProxy) =>
      session.socket.dump('list neighbors', { type: RTM.GETNEIGH, body: encodeNeighborQuery({ isProxy }) }),
    )
    .map((body) => decodeNeighbor(body, session.nameOf))
    .filter((neighbor) => neighbor !== undefined)
    .filter((neighbor) => device === undefined || neighbor.device === device)
}

export function readFdb(session: Session, device: string): FdbEntry[] {
  session.indexOf(device)
  return session.socket
    .dump('list forwarding entries', { type: RTM.GETNEIGH, body: encodeFdbQuery() })
    .map((body) => decodeFdb(body, session.nameOf))
    .filter((entry) => entry?.device === device)
    .filter((entry) => entry !== undefined)
}
