import { isIP, isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { TwinlaneError } from './errors.ts'

export type Family = 4 | 6

/** Text that is not an address or a prefix. */
export class AddressError extends TwinlaneError {}

/** A prefix: canonical network address, length, and its numbers for arithmetic. */
export interface Cidr {
  readonly family: Family
  /** Network address with the host bits zeroed, canonical text. */
  readonly network: string
  readonly prefixLength: number
  readonly first: bigint
  readonly last: bigint
}

/** An address together with the length of its subnet's prefix, e.g. `10.144.0.31/24`. */
export interface InterfaceAddress {
  readonly family: Family
  readonly address: string
  readonly prefixLength: number
}

/**
 * Canonical text of an address. Refuses what libraries let through: leading zeros, short forms, zones; a v4-mapped
 * IPv6 address becomes IPv4.
 */
export function parseAddress(text: string): { family: Family; address: string } {
  // Of IPv4 one form alone passes, and it is the canonical one.
  if (isIPv4(text)) return { family: 4, address: text }
  if (isIP(text) === 0 || text.includes('%')) throw new AddressError(`"${text}" is not an IP address`)
  const parsed = ipaddr.process(text)
  return { family: parsed.kind() === 'ipv4' ? 4 : 6, address: parsed.toString() }
}

export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%')
}

export function familyOf(address: string): Family {
  return parseAddress(address).family
}

export function addressToBigint(address: string): bigint {
  if (isIPv4(address)) return BigInt(ipv4ToNumber(address))
  return bytesToBigint(ipaddr.process(parseAddress(address).address).toByteArray())
}

export function bigintToAddress(value: bigint, family: Family): string {
  if (family === 4) return numberToIpv4(Number(value))
  return ipaddr.fromByteArray(bigintToBytes(value, family)).toString()
}

/** The address' 4 or 16 bytes. */
export function addressBytes(address: string): number[] {
  return ipaddr.process(parseAddress(address).address).toByteArray()
}

export function bytesToAddress(bytes: Uint8Array | number[]): string {
  return ipaddr.fromByteArray([...bytes]).toString()
}

/** Parses `address/length`; host bits may be set. Throws AddressError. */
export function parseInterfaceAddress(text: string): InterfaceAddress {
  const slash = text.indexOf('/')
  if (slash < 0) throw new AddressError(`"${text}" has no prefix length, e.g. 10.0.0.1/24`)
  const { family, address } = parseAddress(text.slice(0, slash))
  return { family, address, prefixLength: parsePrefixLength(text, text.slice(slash + 1), family) }
}

/** Parses a prefix. Host bits are zeroed; with `strict` they are refused. Throws AddressError. */
export function parseCidr(text: string, options: { strict?: boolean } = {}): Cidr {
  const { family, address, prefixLength } = parseInterfaceAddress(text)
  const cidr = cidrOf(address, prefixLength, family)
  if (options.strict === true && cidr.network !== address) {
    throw new AddressError(`"${text}" has host bits set; the prefix is ${formatCidr(cidr)}`)
  }
  return cidr
}

/** The prefix of this length that holds the address. */
export function cidrOf(address: string, prefixLength: number, family: Family = familyOf(address)): Cidr {
  const hostBits = BigInt((family === 4 ? 32 : 128) - prefixLength)
  const first = (addressToBigint(address) >> hostBits) << hostBits
  return { family, network: bigintToAddress(first, family), prefixLength, first, last: first + (1n << hostBits) - 1n }
}

export function formatCidr(cidr: Cidr): string {
  return `${cidr.network}/${cidr.prefixLength}`
}

export function cidrContains(cidr: Cidr, address: string): boolean {
  if (familyOf(address) !== cidr.family) return false
  const value = addressToBigint(address)
  return value >= cidr.first && value <= cidr.last
}

export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last
}

/** Whether `inner` lies wholly inside `outer`. */
export function cidrCovers(outer: Cidr, inner: Cidr): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last
}

/** The single address as a prefix: /32 or /128. */
export function hostPrefixOf(address: string): string {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}`
}

/** The IPv4 broadcast address of a subnet; undefined for IPv6, /31 and /32. */
export function broadcastOf(cidr: Cidr): string | undefined {
  return cidr.family === 4 && cidr.prefixLength < 31 ? bigintToAddress(cidr.last, 4) : undefined
}

function parsePrefixLength(whole: string, text: string, family: Family): number {
  const most = family === 4 ? 32 : 128
  const length = /^(0|[1-9]\d{0,2})$/.test(text) ? Number(text) : Number.NaN
  if (!(length <= most)) throw new AddressError(`"${whole}" has no valid prefix length (0 to ${most})`)
  return length
}

function bytesToBigint(bytes: number[]): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

function bigintToBytes(value: bigint, family: Family): number[] {
  const size = family === 4 ? 4 : 16
  return Array.from({ length: size }, (_, index) => Number((value >> BigInt(8 * (size - 1 - index))) & 0xffn))
}

/** Arithmetic of IPv4 is done in numbers: a node does it some hundred times for a pod. */
function ipv4ToNumber(address: string): number {
  return address.split('.').reduce((value, byte) => value * 256 + Number(byte), 0)
}

/** Throws RangeError for what is no IPv4 address. */
function numberToIpv4(value: number): string {
  if (value < 0 || value > 0xffffffff) throw new RangeError(`${value} is not the number of an IPv4 address`)
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')
}
