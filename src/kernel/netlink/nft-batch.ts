import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES } from './constants.ts'
import { u16be } from './message.ts'

/** The messages that are one transaction of nftables when they are sent together. */
export function batchOf<T>(messages: readonly T[]): (T | { type: number; body: Buffer })[] {
  const body = encodeNfHeader(0, NFNL_SUBSYS_NFTABLES)
  return [{ type: NFNL_MSG_BATCH_BEGIN, body }, ...messages, { type: NFNL_MSG_BATCH_END, body }]
}

/** struct nfgenmsg. */
export function encodeNfHeader(family: number, resource = 0): Buffer {
  return Buffer.concat([Buffer.from([family, 0]), u16be(resource)])
}
