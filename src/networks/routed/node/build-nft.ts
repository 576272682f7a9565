import { formatCidr, parseCidr } from '../../../base/ip.ts'
import type { IPPool } from '../resources.ts'
import { hostInterfacePrefix } from './names.ts'

/** Our only table; nobody else's is ever touched. */
export const nftTable = 'inet twinlane-routed'

/**
 * The whole table as one transaction that replaces what was there.
 *
 * A pod may send only from addresses whose route leads back to it: one rule for all pods, so that nothing has to be
 * kept up to date per pod, and independent of rp_filter, which others on the host change. Pods of pools with
 * natOutgoing are masqueraded towards everything that is in no pool; disabled pools count as pools.
 */
export function buildNft(pools: readonly IPPool[]): string {
  const all = ipv4Prefixes(pools)
  const masqueraded = ipv4Prefixes(pools.filter(({ spec }) => spec.natOutgoing === true))
  return `add table ${nftTable}
delete table ${nftTable}
table ${nftTable} {
  set pools { ${prefixSet(all)} }
  set masqueraded { ${prefixSet(masqueraded)} }
  chain sources {
    type filter hook prerouting priority raw; policy accept;
    iifname "${hostInterfacePrefix}*" fib saddr . iif oif missing counter drop
  }
  chain outgoing {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @masqueraded ip daddr != @pools counter masquerade
  }
}
`
}

function prefixSet(prefixes: readonly string[]): string {
  const elements = prefixes.length === 0 ? '' : ` elements = { ${prefixes.join(', ')} };`
  return `type ipv4_addr; flags interval; auto-merge;${elements}`
}

function ipv4Prefixes(pools: readonly IPPool[]): string[] {
  return [...new Set(pools.flatMap(({ spec }) => readableIpv4(spec.cidr)))].sort()
}

/** A prefix that cannot be read must not keep the rest from being programmed. */
function readableIpv4(text: string): string[] {
  try {
    const cidr = parseCidr(text)
    return cidr.family === 4 ? [formatCidr(cidr)] : []
  } catch {
    return []
  }
}
