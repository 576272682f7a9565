import { type Cidr, type Family, parseCidr } from '../../base/ip.ts'
import type { Rule } from '../kernel.ts'
import { rulePrefix } from '../normalize.ts'
import { familyFrom, familyNumber, ipBytes, ipText } from './address.ts'
import { FR_ACT_TO_TBL, FRA, RT_TABLE_UNSPEC } from './constants.ts'
import { attributes, cString, decodeAttributes, encodeAttributes, readCString, u8, u32 } from './message.ts'

const HEADER_LENGTH = 12
/** FRA_SUPPRESS_PREFIXLEN of a rule that suppresses nothing. */
const NOTHING_SUPPRESSED = 0xffffffff

/** Body of RTM_NEWRULE or RTM_DELRULE. */
export function encodeRule(rule: Rule): Buffer {
  const from = prefixOf(rule.from)
  const to = prefixOf(rule.to)
  const header = ruleHeader(rule.family)
  header.writeUInt8(to?.prefixLength ?? 0, 1)
  header.writeUInt8(from?.prefixLength ?? 0, 2)
  header.writeUInt8(rule.table > 255 ? RT_TABLE_UNSPEC : rule.table, 4)
  header.writeUInt8(FR_ACT_TO_TBL, 7)
  const number = (value: number | undefined): Buffer | undefined => (value === undefined ? undefined : u32(value))
  const list = attributes(
    [FRA.PRIORITY, u32(rule.priority)],
    [FRA.SRC, from === undefined ? undefined : ipBytes(from.network)],
    [FRA.DST, to === undefined ? undefined : ipBytes(to.network)],
    [FRA.IIFNAME, rule.inputDevice === undefined ? undefined : cString(rule.inputDevice)],
    [FRA.FWMARK, number(rule.mark)],
    [FRA.SUPPRESS_PREFIXLEN, number(rule.suppressPrefixLength)],
    [FRA.TABLE, u32(rule.table)],
    [FRA.PROTOCOL, rule.protocol === undefined ? undefined : u8(rule.protocol)],
  )
  return Buffer.concat([header, encodeAttributes(list)])
}

/** Body of an RTM_GETRULE dump. */
export function encodeRuleQuery(family: Family): Buffer {
  return ruleHeader(family)
}

/** undefined for rules that do not look a table up (blackhole, goto …) and for other families. */
export function decodeRule(body: Buffer): Rule | undefined {
  const family = familyFrom(body.readUInt8(0))
  if (family === undefined || body.readUInt8(7) !== FR_ACT_TO_TBL) return undefined
  const found = decodeAttributes(body.subarray(HEADER_LENGTH))
  const device = found.get(FRA.IIFNAME)
  const suppress = found.get(FRA.SUPPRESS_PREFIXLEN)?.readUInt32LE(0)
  const mark = found.get(FRA.FWMARK)?.readUInt32LE(0)
  const from = prefixText(found.get(FRA.SRC), body.readUInt8(2))
  const to = prefixText(found.get(FRA.DST), body.readUInt8(1))
  const protocol = found.get(FRA.PROTOCOL)?.readUInt8(0)
  return {
    family,
    priority: found.get(FRA.PRIORITY)?.readUInt32LE(0) ?? 0,
    table: found.get(FRA.TABLE)?.readUInt32LE(0) ?? body.readUInt8(4),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(device === undefined ? {} : { inputDevice: readCString(device) }),
    ...(mark === undefined || mark === 0 ? {} : { mark }),
    ...(suppress === undefined || suppress === NOTHING_SUPPRESSED ? {} : { suppressPrefixLength: suppress }),
    ...(protocol === undefined ? {} : { protocol }),
  }
}

function prefixOf(text: string | undefined): Cidr | undefined {
  const canonical = rulePrefix(text)
  return canonical === undefined ? undefined : parseCidr(canonical)
}

function prefixText(bytes: Buffer | undefined, length: number): string | undefined {
  return bytes === undefined ? undefined : `${ipText(bytes)}/${length}`
}

function ruleHeader(family: Family): Buffer {
  const header = Buffer.alloc(HEADER_LENGTH)
  header.writeUInt8(familyNumber(family), 0)
  return header
}
