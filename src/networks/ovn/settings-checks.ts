import { ConfigError } from '../../base/errors.ts'
import { AddressError, cidrsOverlap, familyOf, parseCidr } from '../../base/ip.ts'
import type { OvnSettings } from './config.ts'
import type { NodePool } from './ipam/node-subnets.ts'
import { familiesOf, joinCidr, masqueradeCidr, ofFamily } from './topology/names.ts'

/** Throws ConfigError. */
export function checkTls({
  northbound,
  southbound,
  tls,
}: Pick<OvnSettings, 'northbound' | 'southbound' | 'tls'>): void {
  if (tls !== undefined || !/(^|,)ssl:/.test(`${northbound},${southbound}`)) return
  throw new ConfigError('networks.ovn.tls', 'is needed for databases with ssl:', {
    fix: 'name the PEM files privateKey, certificate and caCertificate',
  })
}

/** One prefix with the length of nodes' subnets after a second slash. Throws ConfigError. */
export function parseNetCidr(text: string): NodePool {
  const [, prefix, host] = /^([^/]+\/\d+)(?:\/(\d+))?$/.exec(text) ?? []
  const field = 'networks.ovn.netCidr'
  if (prefix === undefined) throw new ConfigError(field, `"${text}" is not like 10.144.0.0/16 or 10.144.0.0/16/24`)
  const cidr = strictCidr(field, prefix)
  const hostPrefix = Number(host ?? defaultHostPrefix[cidr.family])
  const [shortest, longest] = cidr.family === 4 ? [0, 29] : [64, 64]
  if (hostPrefix <= cidr.prefixLength || hostPrefix < shortest || hostPrefix > longest) {
    const rule = cidr.family === 4 ? 'longer than the prefix and at most 29' : '64 for IPv6, with a shorter prefix'
    throw new ConfigError(field, `a node's subnet of /${hostPrefix} does not fit into ${prefix}`, {
      fix: `write the host prefix after a second slash, ${rule}`,
    })
  }
  return { cidr: prefix, hostPrefix }
}

const defaultHostPrefix = { 4: 24, 6: 64 } as const

/** A node's way out is a route by source; OVN would prefer a longer one to the way to another node's shorter subnet. Throws ConfigError. */
export function checkHostPrefixes(pools: readonly NodePool[]): void {
  const ofIpv4 = pools.filter(({ cidr }) => parseCidr(cidr).family === 4)
  const lengths = [...new Set(ofIpv4.map(({ hostPrefix }) => hostPrefix))]
  if (lengths.length <= 1) return
  throw new ConfigError('networks.ovn.netCidr', `nodes would have subnets of /${lengths.join(' and /')}`, {
    fix: 'write the same host prefix after each prefix',
  })
}

/** Services and next hops: one a family, and of families that pods have. Throws ConfigError. */
export function checkFamilies(settings: Pick<OvnSettings, 'netCidrs' | 'svcCidrs' | 'gatewayNextHops'>): void {
  const known = familiesOf(settings.netCidrs)
  const { svcCidrs: svcCidr, gatewayNextHops: gatewayNextHop } = settings
  for (const cidr of svcCidr) strictCidr('networks.ovn.svcCidr', cidr)
  for (const [field, values] of Object.entries({ svcCidr, gatewayNextHop })) {
    const families = values.map((text) => familyOf(text.split('/')[0] ?? ''))
    if (new Set(families).size < families.length) {
      throw new ConfigError(`networks.ovn.${field}`, `${values.join(',')} has two of one family`, { fix: 'write one' })
    }
    const other = families.find((family) => !known.includes(family))
    if (other === undefined) continue
    throw new ConfigError(
      `networks.ovn.${field}`,
      `${ofFamily(values, other)} is IPv${other}, which pods do not have`,
      {
        fix: `add an IPv${other} prefix to netCidr, or write ${field} without it`,
      },
    )
  }
}

/** Nothing of the cluster network has another use. Throws ConfigError. */
export function checkPrefixes(settings: Pick<OvnSettings, 'netCidrs' | 'svcCidrs' | 'hostCidrs'>): void {
  settings.hostCidrs.forEach((cidr, index) => void strictCidr(`networks.ovn.hostCidrs[${index}]`, cidr))
  const named = [
    ...settings.svcCidrs.map((cidr) => ['svcCidr', parseCidr(cidr)] as const),
    ...Object.values(joinCidr).map((cidr) => ['the join network', parseCidr(cidr)] as const),
    ...Object.values(masqueradeCidr).map((cidr) => ['the masquerade network', parseCidr(cidr)] as const),
  ]
  settings.netCidrs.forEach((text, index) => {
    const before = settings.netCidrs.slice(0, index).map((other) => [other, parseCidr(other)] as const)
    const found = [...named, ...before].find(([, cidr]) => cidrsOverlap(cidr, parseCidr(text)))
    if (found === undefined) return
    throw new ConfigError('networks.ovn.netCidr', `${text} overlaps ${found[0]}`, { fix: 'choose another' })
  })
}

/** The parts, trimmed. */
export function commaSeparated(text: string): string[] {
  return text.split(',').map((part) => part.trim())
}

function strictCidr(field: string, text: string): ReturnType<typeof parseCidr> {
  try {
    return parseCidr(text, { strict: true })
  } catch (error) {
    if (error instanceof AddressError) throw new ConfigError(field, error.message, { cause: error })
    throw error
  }
}
