import { AddressError, type Cidr, parseCidr } from '../../../base/ip.ts'
import type { IPReservation } from '../resources.ts'

/** Prefixes of which no address is given to whoever asks for any. One that cannot be read reserves nothing. */
export function reservedPrefixes(reservations: readonly IPReservation[]): Cidr[] {
  return reservations.flatMap(({ spec }) => spec?.reservedCIDRs ?? []).flatMap(readable)
}

/** A single address may stand without its length. */
function readable(text: string): Cidr[] {
  try {
    return [parseCidr(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)]
  } catch (error) {
    if (error instanceof AddressError) return []
    throw error
  }
}
