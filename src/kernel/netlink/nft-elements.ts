import type { NftElements, NftKeyPart } from '../kernel.ts'
import { ipBytes } from './address.ts'
import { NFTA_DATA_VALUE, NFTA_LIST_ELEM, NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_LIST } from './constants.ts'
import { macBytes } from './link.ts'
import { align4, attributes, cString, encodeAttributes, u32 } from './message.ts'
import { encodeNfHeader } from './nft-batch.ts'

const FAMILIES = { inet: 1, arp: 3 } as const

/** Body of NFT_MSG_NEWSETELEM. Throws KernelError ENODEV for a device that is not there. */
export function encodeElements({ family, table, set, keys }: NftElements, indexOf: (device: string) => number): Buffer {
  const elements = keys.map((parts) => {
    const value = Buffer.concat(parts.map((part) => encodePart(part, indexOf)))
    const key = attributes([NFTA_SET_ELEM_KEY, attributes([NFTA_DATA_VALUE, value])])
    return { type: NFTA_LIST_ELEM, value: key }
  })
  const list = attributes(
    [NFTA_SET_ELEM_LIST.TABLE, cString(table)],
    [NFTA_SET_ELEM_LIST.SET, cString(set)],
    [NFTA_SET_ELEM_LIST.ELEMENTS, elements],
  )
  return Buffer.concat([encodeNfHeader(FAMILIES[family]), encodeAttributes(list)])
}

/** Every part begins at a register of four bytes. */
function encodePart(part: NftKeyPart, indexOf: (device: string) => number): Buffer {
  if ('device' in part) return u32(indexOf(part.device))
  if ('address' in part) return ipBytes(part.address)
  const bytes = macBytes(part.mac)
  return Buffer.concat([bytes], align4(bytes.length))
}
