import { addressBytes, bytesToAddress, type Family, type InterfaceAddress } from '../../base/ip.ts'
import type { Address } from '../kernel.ts'
import { AF_INET, AF_INET6, IFA, IFA_F_NODAD } from './constants.ts'
import { attributes, decodeAttributes, encodeAttributes, u32 } from './message.ts'

export function familyNumber(family: Family | undefined): number {
  return family === undefined ? 0 : family === 4 ? AF_INET : AF_INET6
}

/** undefined for families that are not IP. */
export function familyFrom(number: number): Family | undefined {
  return number === AF_INET ? 4 : number === AF_INET6 ? 6 : undefined
}

export function ipBytes(address: string): Buffer {
  return Buffer.from(addressBytes(address))
}

/** The address that 4 or 16 bytes spell. */
export function ipText(bytes: Buffer): string {
  return bytesToAddress(bytes)
}

/** Body of RTM_NEWADDR or RTM_DELADDR. IPv6 addresses skip duplicate address detection: they are ours alone. */
export function encodeAddress(options: {
  index: number
  address: InterfaceAddress
  broadcast?: string | undefined
  scope?: number | undefined
}): Buffer {
  const { family, address, prefixLength } = options.address
  const bytes = ipBytes(address)
  return Buffer.concat([
    addressHeader({ family, prefixLength, scope: options.scope ?? 0, index: options.index }),
    encodeAttributes(
      attributes(
        [IFA.LOCAL, bytes],
        [IFA.ADDRESS, bytes],
        [IFA.BROADCAST, options.broadcast === undefined ? undefined : ipBytes(options.broadcast)],
        [IFA.FLAGS, family === 6 ? u32(IFA_F_NODAD) : undefined],
      ),
    ),
  ])
}

/** Body of an RTM_GETADDR dump; index 0 asks for all devices. */
export function encodeAddressQuery(index = 0): Buffer {
  return addressHeader({ family: undefined, prefixLength: 0, scope: 0, index })
}

export function decodeAddress(body: Buffer): Address | undefined {
  const family = familyFrom(body.readUInt8(0))
  const found = decodeAttributes(body.subarray(8))
  const bytes = found.get(IFA.LOCAL) ?? found.get(IFA.ADDRESS)
  if (family === undefined || bytes === undefined) return undefined
  const broadcast = found.get(IFA.BROADCAST)
  return {
    linkIndex: body.readUInt32LE(4),
    family,
    address: ipText(bytes),
    prefixLength: body.readUInt8(1),
    ...(broadcast === undefined ? {} : { broadcast: ipText(broadcast) }),
    scope: body.readUInt8(3),
  }
}

function addressHeader(fields: {
  family: Family | undefined
  prefixLength: number
  scope: number
  index: number
}): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt8(familyNumber(fields.family), 0)
  header.writeUInt8(fields.prefixLength, 1)
  header.writeUInt8(fields.scope, 3)
  header.writeUInt32LE(fields.index, 4)
  return header
}
