import type { DeviceSettings } from '../kernel.ts'
import { familyFrom } from './address.ts'
import { NETCONFA } from './constants.ts'
import { decodeAttributes } from './message.ts'
import type { NameOf } from './route.ts'

/** `all` and `default` by their indexes. */
const COMMON_NAMES = new Map([
  [-1, 'all'],
  [-2, 'default'],
])

/** undefined for families that are not IP. */
export function decodeNetconf(body: Buffer, nameOf: NameOf): DeviceSettings | undefined {
  const found = decodeAttributes(body.subarray(4))
  const index = found.get(NETCONFA.IFINDEX)?.readInt32LE(0)
  const family = familyFrom(body.readUInt8(0))
  if (family === undefined || index === undefined) return undefined
  const number = (type: number): number | undefined => found.get(type)?.readInt32LE(0)
  const [forwarding, rpFilter, proxy] = [NETCONFA.FORWARDING, NETCONFA.RP_FILTER, NETCONFA.PROXY_NEIGH].map(number)
  return {
    family,
    device: COMMON_NAMES.get(index) ?? nameOf(index) ?? `if${index}`,
    ...(forwarding === undefined ? {} : { isForwarding: forwarding !== 0 }),
    ...(rpFilter === undefined ? {} : { rpFilter }),
    ...(proxy === undefined ? {} : { hasProxyArp: proxy !== 0 }),
  }
}
