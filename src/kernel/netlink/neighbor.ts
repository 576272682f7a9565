import { familyOf } from '../../base/ip.ts'
import type { FdbEntry, Neighbor } from '../kernel.ts'
import { familyFrom, familyNumber, ipBytes, ipText } from './address.ts'
import { AF_BRIDGE, NDA, NTF_PROXY, NTF_SELF, NTF_USE, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE } from './constants.ts'
import { macBytes, macText } from './link.ts'
import { attributes, decodeAttributes, encodeAttributes } from './message.ts'
import type { NameOf } from './route.ts'

const HEADER_LENGTH = 12

/** Body of RTM_NEWNEIGH or RTM_DELNEIGH. */
export function encodeNeighbor(neighbor: Neighbor, index: number): Buffer {
  const header = neighborHeader({
    family: familyNumber(neighbor.family),
    index,
    state: neighbor.isProxy === true ? 0 : neighbor.isPermanent === true ? NUD_PERMANENT : NUD_REACHABLE,
    flags: neighbor.isProxy === true ? NTF_PROXY : 0,
  })
  const list = attributes(
    [NDA.DST, ipBytes(neighbor.address)],
    [NDA.LLADDR, neighbor.mac === undefined ? undefined : macBytes(neighbor.mac)],
  )
  return Buffer.concat([header, encodeAttributes(list)])
}

/** Body of an RTM_NEWNEIGH that makes the kernel look the neighbour up, as a packet to it would. */
export function encodeNeighborUse(address: string, index: number): Buffer {
  const header = neighborHeader({ family: familyNumber(familyOf(address)), index, state: 0, flags: NTF_USE })
  return Buffer.concat([header, encodeAttributes(attributes([NDA.DST, ipBytes(address)]))])
}

/** Body of an RTM_GETNEIGH dump. The kernel keeps proxy entries in a list of their own. */
export function encodeNeighborQuery(options: { isProxy: boolean }): Buffer {
  return neighborHeader({ family: 0, index: 0, state: 0, flags: options.isProxy ? NTF_PROXY : 0 })
}

/** undefined for other families and for entries that the kernel makes itself for multicast and loopback (NOARP). */
export function decodeNeighbor(body: Buffer, nameOf: NameOf): Neighbor | undefined {
  const family = familyFrom(body.readUInt8(0))
  const index = body.readInt32LE(4)
  const state = body.readUInt16LE(8)
  const isProxy = (body.readUInt8(10) & NTF_PROXY) !== 0
  const found = decodeAttributes(body.subarray(HEADER_LENGTH))
  const address = found.get(NDA.DST)
  if (family === undefined || address === undefined || (state & NUD_NOARP) !== 0) return undefined
  const mac = found.get(NDA.LLADDR)
  return {
    family,
    address: ipText(address),
    device: nameOf(index) ?? `if${index}`,
    ...(mac === undefined || isProxy ? {} : { mac: macText(mac) }),
    isPermanent: (state & NUD_PERMANENT) !== 0,
    isProxy,
  }
}

/** Body of RTM_NEWNEIGH or RTM_DELNEIGH for an entry of a VXLAN device. */
export function encodeFdb(entry: FdbEntry, index: number): Buffer {
  const header = neighborHeader({ family: AF_BRIDGE, index, state: NUD_PERMANENT | NUD_NOARP, flags: NTF_SELF })
  const list = attributes([NDA.LLADDR, macBytes(entry.mac)], [NDA.DST, ipBytes(entry.destination)])
  return Buffer.concat([header, encodeAttributes(list)])
}

/** Body of an RTM_GETNEIGH dump of forwarding entries. */
export function encodeFdbQuery(): Buffer {
  return neighborHeader({ family: AF_BRIDGE, index: 0, state: 0, flags: 0 })
}

/** undefined for what is not an entry with an outer destination: neighbours, ports of bridges. */
export function decodeFdb(body: Buffer, nameOf: NameOf): FdbEntry | undefined {
  const index = body.readInt32LE(4)
  const found = decodeAttributes(body.subarray(HEADER_LENGTH))
  const [mac, destination] = [found.get(NDA.LLADDR), found.get(NDA.DST)]
  if (body.readUInt8(0) !== AF_BRIDGE || mac === undefined || destination === undefined) return undefined
  return { device: nameOf(index) ?? `if${index}`, mac: macText(mac), destination: ipText(destination) }
}

function neighborHeader(fields: { family: number; index: number; state: number; flags: number }): Buffer {
  const header = Buffer.alloc(HEADER_LENGTH)
  header.writeUInt8(fields.family, 0)
  header.writeInt32LE(fields.index, 4)
  header.writeUInt16LE(fields.state, 8)
  header.writeUInt8(fields.flags, 10)
  return header
}
