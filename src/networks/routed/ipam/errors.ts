import { TwinlaneError } from '../../../base/errors.ts'
import type { Family } from '../../../base/ip.ts'

/** No address could be given, or an address could not be given back. */
export class IpamError extends TwinlaneError {}

/** Every address of the pools is in use. */
export class PoolExhaustedError extends IpamError {}

/** The node owns as many blocks as it may. */
export class BlockLimitError extends IpamError {}

/** The sentence that users of Calico know, with the reason at its end. */
export function notAssigned(family: Family, reason: string): string {
  return `failed to request IPv${family} addresses: Assigned 0 out of 1 requested IPv${family} addresses; ${reason}`
}
