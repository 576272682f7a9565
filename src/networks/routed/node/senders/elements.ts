import { bytesToAddress, familyOf } from '../../../../base/ip.ts'
import type { Link, NftElements } from '../../../../kernel/kernel.ts'
import { hostInterfacePrefix, parseAlias } from '../names.ts'

/** What may come out of a pod through its host end, and nothing else. */
export interface Sender {
  /** The host end: its name, or its index in figures. */
  readonly device: string
  /** Of the pod's end. */
  readonly mac: string
  /** The pod's own. */
  readonly addresses: readonly string[]
}

/** Name of the tables, one for IP and one for ARP. */
export const senderTable = 'twinlane-senders'

const unspecified = { arp: '0.0.0.0', ip6: '::' } as const

/**
 * The sets' elements for a pod, in all tables. Besides its addresses it has the link-local one that its kernel makes of
 * the MAC address, and none: so it asks whether an address is free.
 */
export function elementsOf({ device, mac, addresses }: Sender): NftElements[] {
  const of = (family: 4 | 6): string[] => addresses.filter((address) => familyOf(address) === family)
  const [ipv4, ipv6] = [of(4), of(6)]
  const alsoOf6 = ipv6.length === 0 ? [] : [linkLocalOf(mac), unspecified.ip6]
  const base = { table: senderTable }
  const key = { device }
  const keyed = (address: string) => [key, { mac }, { address }]
  const keyedTwice = (address: string) => [key, { mac }, { mac }, { address }]
  const all: NftElements[] = [
    { ...base, family: 'inet', set: 'known', keys: [[key]] },
    { ...base, family: 'inet', set: 'sources4', keys: ipv4.map(keyed) },
    { ...base, family: 'inet', set: 'sources6', keys: [...ipv6, ...alsoOf6].map(keyed) },
    { ...base, family: 'arp', set: 'known', keys: [[key]] },
    {
      ...base,
      family: 'arp',
      set: 'claims',
      keys: ipv4.length === 0 ? [] : [...ipv4, unspecified.arp].map(keyedTwice),
    },
  ]
  return all.filter(({ keys }) => keys.length > 0)
}

/**
 * The pods whose host ends say which MAC address they have; by index, which no later interface gets. Those of an agent
 * of before, and of a Calico, do not say.
 */
export function sendersOf(links: readonly Pick<Link, 'name' | 'index' | 'alias'>[]): Sender[] {
  return links.flatMap(({ name, index, alias }) => {
    const owner = name.startsWith(hostInterfacePrefix) ? parseAlias(alias) : undefined
    if (owner?.mac === undefined) return []
    const { addresses, floating = [], mac } = owner
    return [{ device: String(index), mac, addresses: addresses.filter((address) => !floating.includes(address)) }]
  })
}

/** As the kernel makes it of a MAC address (RFC 4291, appendix A). */
function linkLocalOf(mac: string): string {
  const [first = 0, ...rest] = mac.split(':').map((byte) => Number.parseInt(byte, 16))
  const bytes = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)]
  return bytesToAddress([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...bytes])
}
