import { bigintToAddress, familyOf, parseCidr } from '../../base/ip.ts'
import type { Route } from '../kernel.ts'
import { defaultScope, hasDevice } from '../normalize.ts'
import { familyFrom, familyNumber, ipBytes, ipText } from './address.ts'
import {
  AF_INET,
  AF_INET6,
  ROUTE_TYPES,
  RT_SCOPE_NOWHERE,
  RT_TABLE_MAIN,
  RT_TABLE_UNSPEC,
  RTA,
  RTAX_MTU,
  RTM_F_CLONED,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
} from './constants.ts'
import { type Attribute, align4, attributes, decodeAttributes, encodeAttributes, u32 } from './message.ts'

type RouteType = NonNullable<Route['type']>
type NextHop = NonNullable<Route['nextHops']>[number]

/** Looks a device up by name; throws when there is none. */
export type IndexOf = (device: string) => number
/** Looks a device's name up by index; undefined when it is unknown. */
export type NameOf = (index: number) => string | undefined

const RTNH_LENGTH = 8
const HEADER_LENGTH = 12

/** Body of RTM_NEWROUTE. Unset fields get iproute2's defaults: main table, protocol boot, scope by type and gateway. */
export function encodeRoute(route: Route, indexOf: IndexOf): Buffer {
  return encode(route, { indexOf, scope: route.scope ?? defaultScope(route), protocol: route.protocol ?? RTPROT_BOOT })
}

/** Body of RTM_DELROUTE: what is unset matches anything. */
export function encodeRouteDeletion(route: Route, indexOf: IndexOf): Buffer {
  return encode(route, { indexOf, scope: route.scope ?? RT_SCOPE_NOWHERE, protocol: route.protocol ?? 0 })
}

/** Body of an RTM_GETROUTE dump, filtered by the kernel (needs NETLINK_GET_STRICT_CHK). */
export function encodeRouteQuery(query: {
  family: 4 | 6
  table: number
  protocol?: number | undefined
  index?: number | undefined
}): Buffer {
  const header = routeHeader({ family: query.family, table: query.table, protocol: query.protocol ?? 0 })
  const filter = attributes(
    [RTA.TABLE, u32(query.table)],
    [RTA.OIF, query.index === undefined ? undefined : u32(query.index)],
  )
  return Buffer.concat([header, encodeAttributes(filter)])
}

/** undefined for what is no route of an IP table: other families, entries of the route cache. */
export function decodeRoute(body: Buffer, nameOf: NameOf): Route | undefined {
  const family = familyFrom(body.readUInt8(0))
  const type = ROUTE_TYPES[body.readUInt8(7)]
  const flags = body.readUInt32LE(8)
  if (family === undefined || type === undefined || (flags & RTM_F_CLONED) !== 0) return undefined
  const found = decodeAttributes(body.subarray(HEADER_LENGTH))
  const destination = found.get(RTA.DST)
  const source = found.get(RTA.PREFSRC)
  const metric = found.get(RTA.PRIORITY)?.readUInt32LE(0)
  const mtuBytes = decodeMtu(found.get(RTA.METRICS))
  return {
    family,
    destination: `${destination === undefined ? bigintToAddress(0n, family) : ipText(destination)}/${body.readUInt8(1)}`,
    table: found.get(RTA.TABLE)?.readUInt32LE(0) ?? body.readUInt8(4),
    protocol: body.readUInt8(5),
    scope: body.readUInt8(6),
    type,
    ...(source === undefined ? {} : { source: ipText(source) }),
    ...(metric === undefined ? {} : { metric }),
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    // The kernel lists IPv6 blackholes with the device lo.
    ...(hasDevice(type) ? decodeWay({ found, flags, nameOf }) : {}),
  }
}

function encode(route: Route, options: { indexOf: IndexOf; scope: number; protocol: number }): Buffer {
  const { indexOf } = options
  const destination = parseCidr(route.destination)
  const table = route.table ?? RT_TABLE_MAIN
  const header = routeHeader({
    family: route.family,
    table,
    protocol: options.protocol,
    prefixLength: destination.prefixLength,
    scope: options.scope,
    type: route.type ?? 'unicast',
    flags: route.nextHops === undefined ? onlinkFlag(route) : 0,
  })
  const list = attributes(
    [RTA.TABLE, u32(table)],
    [RTA.DST, destination.prefixLength === 0 ? undefined : ipBytes(destination.network)],
    [RTA.PREFSRC, route.source === undefined ? undefined : ipBytes(route.source)],
    [RTA.PRIORITY, route.metric === undefined ? undefined : u32(route.metric)],
    [RTA.METRICS, route.mtuBytes === undefined ? undefined : attributes([RTAX_MTU, u32(route.mtuBytes)])],
    [RTA.OIF, route.device === undefined ? undefined : u32(indexOf(route.device))],
    [RTA.MULTIPATH, route.nextHops === undefined ? undefined : encodeNextHops(route, route.nextHops, indexOf)],
  )
  return Buffer.concat([header, encodeAttributes([...list, ...gatewayAttributes(route.family, route.gateway)])])
}

function onlinkFlag(route: Route): number {
  return route.onlink === true ? RTNH_F_ONLINK : 0
}

/** A gateway of the other family (IPv4 by way of an IPv6 router) travels in RTA_VIA. */
function gatewayAttributes(family: 4 | 6, gateway: string | undefined): Attribute[] {
  if (gateway === undefined) return []
  const bytes = ipBytes(gateway)
  if (familyOf(gateway) === family) return attributes([RTA.GATEWAY, bytes])
  const via = Buffer.alloc(2)
  via.writeUInt16LE(familyNumber(familyOf(gateway)))
  return attributes([RTA.VIA, Buffer.concat([via, bytes])])
}

function encodeNextHops(route: Route, nextHops: readonly NextHop[], indexOf: IndexOf): Buffer {
  return Buffer.concat(
    nextHops.map((hop) => {
      const list = encodeAttributes(gatewayAttributes(route.family, hop.gateway))
      const header = Buffer.alloc(RTNH_LENGTH)
      header.writeUInt16LE(RTNH_LENGTH + list.length, 0)
      header.writeUInt8(onlinkFlag(route), 2)
      header.writeUInt8((hop.weight ?? 1) - 1, 3)
      header.writeInt32LE(hop.device === undefined ? 0 : indexOf(hop.device), 4)
      return Buffer.concat([header, list])
    }),
  )
}

function decodeWay(options: { found: Map<number, Buffer>; flags: number; nameOf: NameOf }): Partial<Route> {
  const { found, nameOf } = options
  const multipath = found.get(RTA.MULTIPATH)
  if (multipath !== undefined) return decodeNextHops(multipath, nameOf)
  const gateway = decodeGateway(found)
  const index = found.get(RTA.OIF)?.readUInt32LE(0)
  return {
    ...(gateway === undefined ? {} : { gateway }),
    ...(index === undefined ? {} : { device: nameOf(index) ?? `if${index}` }),
    ...((options.flags & RTNH_F_ONLINK) === 0 ? {} : { onlink: true }),
  }
}

function decodeNextHops(buffer: Buffer, nameOf: NameOf): Partial<Route> {
  const nextHops: NextHop[] = []
  let isOnlink = false
  for (let offset = 0; offset + RTNH_LENGTH <= buffer.length; ) {
    const length = buffer.readUInt16LE(offset)
    if (length < RTNH_LENGTH || offset + length > buffer.length) break
    isOnlink ||= (buffer.readUInt8(offset + 2) & RTNH_F_ONLINK) !== 0
    const index = buffer.readInt32LE(offset + 4)
    const gateway = decodeGateway(decodeAttributes(buffer.subarray(offset + RTNH_LENGTH, offset + length)))
    nextHops.push({
      ...(gateway === undefined ? {} : { gateway }),
      ...(index === 0 ? {} : { device: nameOf(index) ?? `if${index}` }),
      weight: buffer.readUInt8(offset + 3) + 1,
    })
    offset += align4(length)
  }
  return { nextHops, ...(isOnlink ? { onlink: true } : {}) }
}

function decodeGateway(found: Map<number, Buffer>): string | undefined {
  const gateway = found.get(RTA.GATEWAY) ?? viaBytes(found.get(RTA.VIA))
  return gateway === undefined ? undefined : ipText(gateway)
}

function viaBytes(via: Buffer | undefined): Buffer | undefined {
  const family = via?.readUInt16LE(0)
  return family === AF_INET || family === AF_INET6 ? via?.subarray(2) : undefined
}

function decodeMtu(metrics: Buffer | undefined): number | undefined {
  return metrics === undefined ? undefined : decodeAttributes(metrics).get(RTAX_MTU)?.readUInt32LE(0)
}

function routeHeader(fields: {
  family: 4 | 6
  table: number
  protocol: number
  prefixLength?: number
  scope?: number
  type?: RouteType
  flags?: number
}): Buffer {
  const header = Buffer.alloc(HEADER_LENGTH)
  header.writeUInt8(familyNumber(fields.family), 0)
  header.writeUInt8(fields.prefixLength ?? 0, 1)
  header.writeUInt8(fields.table > 255 ? RT_TABLE_UNSPEC : fields.table, 4)
  header.writeUInt8(fields.protocol, 5)
  header.writeUInt8(fields.scope ?? 0, 6)
  header.writeUInt8(fields.type === undefined ? 0 : ROUTE_TYPES.indexOf(fields.type), 7)
  header.writeUInt32LE(fields.flags ?? 0, 8)
  return header
}
