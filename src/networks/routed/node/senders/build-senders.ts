import { hostInterfacePrefix } from '../names.ts'
import { senderTable } from './elements.ts'

/**
 * Both tables without their elements. What comes from an interface that is ours must have the MAC address and one of the
 * addresses of the pod behind it; ARP must say the same in its own fields. Of interfaces that do not say which MAC
 * address is theirs (of a Calico that was here before), packets must have an address whose route leads back. Nothing
 * here depends on rp_filter, which others on the host change.
 */
export const senderTables = `table inet ${senderTable} {
  set known { type iface_index; }
  set sources4 { type iface_index . ether_addr . ipv4_addr; }
  set sources6 { type iface_index . ether_addr . ipv6_addr; }
  chain senders {
    type filter hook prerouting priority raw; policy accept;
    iifname != "${hostInterfacePrefix}*" accept
    iif . ether saddr . ip saddr @sources4 accept
    iif . ether saddr . ip6 saddr @sources6 accept
    iif @known counter drop
    fib saddr . iif oif missing counter drop
  }
}
table arp ${senderTable} {
  set known { type iface_index; }
  set claims { type iface_index . ether_addr . ether_addr . ipv4_addr; }
  chain senders {
    type filter hook input priority filter; policy accept;
    iifname != "${hostInterfacePrefix}*" accept
    iif . ether saddr . arp saddr ether . arp saddr ip @claims accept
    iif @known counter drop
  }
}
`

const families = ['inet', 'arp'] as const

/** What removes both; nothing there is success. */
export const senderRemoval = families
  .map((family) => `add table ${family} ${senderTable}\ndelete table ${family} ${senderTable}\n`)
  .join('')

/** What lists them, one after the other. */
export const senderListings = families.map((family) => `list table ${family} ${senderTable}`)

/** Adds or deletes elements by their names (see `elementNames`). */
export function buildElementChange(verb: 'add' | 'delete', names: Iterable<string>): string {
  return [...names]
    .map((name) => {
      const [family, set, ...parts] = name.split(' ')
      return `${verb} element ${family} ${senderTable} ${set} { ${parts.join(' . ')} }\n`
    })
    .join('')
}
