import type { NftChange } from '../kernel.ts'
import { NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN, NFT_MSG_NEWSETELEM, NFTA_TABLE } from './constants.ts'
import { decodeAttributes, type Message, readCString } from './message.ts'

const FAMILIES = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
])

/**
 * The table that a message of nftables is about; undefined for the end of a transaction, for other subsystems, and for
 * elements that are added to sets: they come with every pod.
 */
export function decodeNftChange({ type, body }: Message): NftChange | undefined {
  if (type === NFT_MSG_NEWSETELEM) return undefined
  const [subsystem, message] = [type >> 8, type & 0xff]
  const table = decodeAttributes(body.subarray(4)).get(NFTA_TABLE)
  if (subsystem !== NFNL_SUBSYS_NFTABLES || message === NFT_MSG_NEWGEN || table === undefined) return undefined
  const family = body.readUInt8(0)
  return { family: FAMILIES.get(family) ?? String(family), table: readCString(table) }
}
