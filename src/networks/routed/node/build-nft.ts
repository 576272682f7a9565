import { type Family, formatCidr, parseCidr } from '../../../base/ip.ts'
import type { IPPool } from '../resources.ts'
import type { FloatingAddress } from './floating.ts'

/** Our only table; nobody else's is ever touched. */
export const nftTable = 'inet twinlane-routed'

/**
 * The whole table as one transaction that replaces what was there.
 *
 * Pods of pools with natOutgoing are masqueraded towards everything that is in no pool; disabled pools count as pools.
 * Floating addresses are translated to those of their pods. Where there is neither, there is no chain: it would make the
 * kernel track every connection that the host forwards.
 */
export function buildNft(pools: readonly IPPool[], floating: readonly FloatingAddress[] = []): string {
  const masqueraded = pools.filter(({ spec }) => spec.natOutgoing === true)
  return `add table ${nftTable}
delete table ${nftTable}
table ${nftTable} {
  set pools { ${prefixSet(pools, 4)} }
  set masqueraded { ${prefixSet(masqueraded, 4)} }
  set pools6 { ${prefixSet(pools, 6)} }
  set masqueraded6 { ${prefixSet(masqueraded, 6)} }
${floatingChains(floating)}${outgoingChain(masqueraded, floating)}}
`
}

function outgoingChain(masqueraded: readonly IPPool[], floating: readonly FloatingAddress[]): string {
  const rules = [
    ...floating.map(hairpinRule),
    ...(prefixesOf(masqueraded, 4).length > 0 ? ['ip saddr @masqueraded ip daddr != @pools counter masquerade'] : []),
    ...(prefixesOf(masqueraded, 6).length > 0
      ? ['ip6 saddr @masqueraded6 ip6 daddr != @pools6 counter masquerade']
      : []),
  ]
  if (rules.length === 0) return ''
  const chain = 'type nat hook postrouting priority srcnat; policy accept;'
  return `  chain outgoing {\n    ${[chain, ...rules].join('\n    ')}\n  }\n`
}

/** From outside and other pods, and from the host itself. */
function floatingChains(floating: readonly FloatingAddress[]): string {
  if (floating.length === 0) return ''
  const rules = floating.map(({ external, pod, family }) => {
    const protocol = protocols[family]
    return `    ${protocol} daddr ${external} counter dnat ${protocol} to ${pod}\n`
  })
  const chain = (name: string, hook: string): string =>
    `  chain ${name} {\n    type nat hook ${hook}; policy accept;\n${rules.join('')}  }\n`
  return chain('floating', 'prerouting priority dstnat') + chain('floating-local', 'output priority -100')
}

/** A pod that calls its own floating address must not see itself as the caller: the answer would not come back here. */
function hairpinRule({ external, pod, family }: FloatingAddress): string {
  const protocol = protocols[family]
  return `${protocol} saddr ${pod} ${protocol} daddr ${pod} snat ${protocol} to ${external}`
}

const protocols: Readonly<Record<Family, string>> = { 4: 'ip', 6: 'ip6' }

function prefixSet(pools: readonly IPPool[], family: Family): string {
  const prefixes = prefixesOf(pools, family)
  const elements = prefixes.length === 0 ? '' : ` elements = { ${prefixes.join(', ')} };`
  return `type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'}; flags interval; auto-merge;${elements}`
}

function prefixesOf(pools: readonly IPPool[], family: Family): string[] {
  return [...new Set(pools.flatMap(({ spec }) => readable(spec.cidr, family)))].sort()
}

/** A prefix that cannot be read must not keep the rest from being programmed. */
function readable(text: string, family: Family): string[] {
  try {
    const cidr = parseCidr(text)
    return cidr.family === family ? [formatCidr(cidr)] : []
  } catch {
    return []
  }
}
