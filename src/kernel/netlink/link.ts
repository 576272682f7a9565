import type { Link } from '../kernel.ts'
import {
  AF_UNSPEC,
  IFF_UP,
  IFLA,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  NETNSA_FD,
  NETNSA_NSID,
  VETH_INFO_PEER,
} from './constants.ts'
import {
  type Attribute,
  attributes,
  cString,
  decodeAttributes,
  encodeAttributes,
  findAttribute,
  readCString,
  u32,
} from './message.ts'

/** Attributes of a link that can be set; namespaces by file descriptor. */
export interface LinkSettings {
  readonly name?: string | undefined
  readonly mac?: string | undefined
  readonly mtuBytes?: number | undefined
  readonly isUp?: boolean | undefined
  readonly group?: number | undefined
  readonly alias?: string | undefined
  /** 0 takes the link out of its bridge. */
  readonly masterIndex?: number | undefined
  readonly netnsFd?: number | undefined
  /** Only when it is created; transmit and receive queues alike. */
  readonly queues?: number | undefined
}

/** A link as the kernel reports it, with what only this folder needs. */
export interface LinkReport extends Link {
  /** The peer's namespace as this one numbers it; undefined when the peer is in this namespace. */
  readonly linkNetnsId: number | undefined
}

const ADDRESS_FORM = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i

export function macBytes(mac: string): Buffer {
  if (!ADDRESS_FORM.test(mac)) throw new RangeError(`"${mac}" is not a MAC address`)
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}

export function macText(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Body of RTM_NEWLINK or RTM_SETLINK. Without an index the name finds the link, or is the new one's. */
export function encodeLink(
  settings: LinkSettings,
  options: { index?: number; info?: readonly Attribute[] } = {},
): Buffer {
  return Buffer.concat([
    linkHeader(options.index ?? 0, settings.isUp),
    encodeAttributes([...linkAttributes(settings), ...attributes([IFLA.LINKINFO, options.info])]),
  ])
}

export function vethInfo(peer: LinkSettings): Attribute[] {
  const peerBody = Buffer.concat([linkHeader(0, undefined), encodeAttributes(linkAttributes(peer))])
  return attributes([IFLA_INFO_KIND, cString('veth')], [IFLA_INFO_DATA, attributes([VETH_INFO_PEER, peerBody])])
}

export function kindInfo(kind: string): Attribute[] {
  return attributes([IFLA_INFO_KIND, cString(kind)])
}

/** Body of RTM_GETLINK for one name, or of a dump without one. */
export function encodeLinkQuery(name?: string): Buffer {
  return Buffer.concat([
    linkHeader(0, undefined),
    encodeAttributes(attributes([IFLA.IFNAME, name === undefined ? undefined : cString(name)])),
  ])
}

/** Body of RTM_DELLINK that deletes every link of a group. */
export function encodeGroupDeletion(group: number): Buffer {
  return Buffer.concat([linkHeader(0, undefined), encodeAttributes(attributes([IFLA.GROUP, u32(group)]))])
}

/** Body of RTM_GETNSID: how the socket's namespace numbers another. */
export function encodeNsidQuery(netnsFd: number): Buffer {
  return Buffer.concat([Buffer.alloc(4), encodeAttributes(attributes([NETNSA_FD, u32(netnsFd)]))])
}

/** -1 when the namespace has no number yet. */
export function decodeNsid(body: Buffer): number {
  return decodeAttributes(body.subarray(4)).get(NETNSA_NSID)?.readInt32LE(0) ?? -1
}

export function decodeLink(body: Buffer): LinkReport {
  const found = decodeAttributes(body.subarray(16))
  const info = found.get(IFLA.LINKINFO)
  const kind = info === undefined ? undefined : decodeAttributes(info).get(IFLA_INFO_KIND)
  const text = (value: Buffer | undefined): string | undefined => (value === undefined ? undefined : readCString(value))
  return {
    index: body.readInt32LE(4),
    name: text(found.get(IFLA.IFNAME)) ?? '',
    kind: text(kind),
    mac: macText(found.get(IFLA.ADDRESS) ?? Buffer.alloc(0)),
    mtuBytes: found.get(IFLA.MTU)?.readUInt32LE(0) ?? 0,
    isUp: (body.readUInt32LE(8) & IFF_UP) !== 0,
    group: found.get(IFLA.GROUP)?.readUInt32LE(0) ?? 0,
    alias: text(found.get(IFLA.IFALIAS)),
    linkIndex: found.get(IFLA.LINK)?.readUInt32LE(0),
    masterIndex: found.get(IFLA.MASTER)?.readUInt32LE(0),
    linkNetnsId: found.get(IFLA.LINK_NETNSID)?.readInt32LE(0),
  }
}

/** The index of a link message. */
export function linkIndex(body: Buffer): number {
  return body.readInt32LE(4)
}

/** The name in a link message, read without the rest of it. */
export function linkName(body: Buffer): string | undefined {
  const found = findAttribute(body.subarray(16), IFLA.IFNAME)
  return found === undefined ? undefined : readCString(found)
}

/** The address family of a link message; bridges send their own kind. */
export function linkFamily(body: Buffer): number {
  return body.readUInt8(0)
}

function linkHeader(index: number, isUp: boolean | undefined): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt8(AF_UNSPEC, 0)
  header.writeInt32LE(index, 4)
  header.writeUInt32LE(isUp === true ? IFF_UP : 0, 8)
  header.writeUInt32LE(isUp === undefined ? 0 : IFF_UP, 12)
  return header
}

function linkAttributes(settings: LinkSettings): Attribute[] {
  const number = (value: number | undefined): Buffer | undefined => (value === undefined ? undefined : u32(value))
  return attributes(
    [IFLA.IFNAME, settings.name === undefined ? undefined : cString(settings.name)],
    [IFLA.ADDRESS, settings.mac === undefined ? undefined : macBytes(settings.mac)],
    [IFLA.MTU, number(settings.mtuBytes)],
    [IFLA.GROUP, number(settings.group)],
    [IFLA.IFALIAS, settings.alias === undefined ? undefined : Buffer.from(settings.alias, 'utf8')],
    [IFLA.MASTER, number(settings.masterIndex)],
    [IFLA.NET_NS_FD, number(settings.netnsFd)],
    [IFLA.NUM_TX_QUEUES, number(settings.queues)],
    [IFLA.NUM_RX_QUEUES, number(settings.queues)],
  )
}
