import { cidrContains, familyOf, isAddress, parseCidr } from '../base/ip.ts'

/** One rule of a source NAT chain, as far as it is understood. */
export interface NatRule {
  /** `inet twinlane-ovn postrouting` */
  readonly chain: string
  readonly conditions: readonly NatCondition[]
  readonly action: 'masquerade' | 'snat' | 'accept' | 'none'
  /** Of snat. */
  readonly address?: string | undefined
  /** Something in it is not understood: it is passed over, and said. */
  readonly isUnclear: boolean
}

export interface NatCondition {
  readonly field: 'oifname' | 'iifname' | 'saddr' | 'daddr'
  readonly isNegated: boolean
  /** Names of devices, with `*` at the end for any; addresses and prefixes. */
  readonly values: readonly string[]
}

export interface NatPacket {
  readonly source: string
  readonly destination: string
  readonly outputDevice: string
  readonly inputDevice?: string | undefined
}

/** The rule that translates the packet's source; undefined when none does. */
export function findNat(rules: readonly NatRule[], packet: NatPacket): NatRule | undefined {
  const left = new Set<string>()
  for (const rule of rules) {
    if (left.has(rule.chain) || rule.isUnclear || !rule.conditions.every((each) => meets(each, packet))) continue
    if (rule.action === 'masquerade' || rule.action === 'snat') return rule
    if (rule.action === 'accept') left.add(rule.chain)
  }
  return undefined
}

export function describeNat({ chain, conditions, action, address }: NatRule): string {
  const texts = conditions.map(({ field, isNegated, values }) => {
    const list = values.length === 1 ? values[0] : `{ ${values.join(', ')} }`
    return `${field} ${isNegated ? '!= ' : ''}${list}`
  })
  return [`nftables ${chain}:`, ...texts, action, ...(address === undefined ? [] : [`to ${address}`])].join(' ')
}

function meets({ field, isNegated, values }: NatCondition, packet: NatPacket): boolean {
  const value = {
    oifname: packet.outputDevice,
    iifname: packet.inputDevice ?? '',
    saddr: packet.source,
    daddr: packet.destination,
  }[field]
  return values.some((each) => isOne(each, value)) !== isNegated
}

function isOne(wanted: string, value: string): boolean {
  if (!isAddress(value)) return wanted.endsWith('*') ? value.startsWith(wanted.slice(0, -1)) : wanted === value
  if (isAddress(wanted)) return wanted === value
  try {
    return cidrContains(parseCidr(wanted), value) && familyOf(value) === parseCidr(wanted).family
  } catch {
    return false
  }
}

type Item = Readonly<Record<string, unknown>>

/** The rules of chains of type nat at the hook postrouting in `nft -j list ruleset`, by priority. */
export function parseNatRules(ruleset: readonly unknown[]): NatRule[] {
  const items = ruleset as readonly Item[]
  const of = (kind: string): Item[] => items.flatMap((item) => (item[kind] === undefined ? [] : [item[kind] as Item]))
  const chains = of('chain')
    .filter(({ type, hook }) => type === 'nat' && hook === 'postrouting')
    .sort((a, b) => Number(a.prio) - Number(b.prio))
  const sets = new Map(of('set').map((set) => [`${tableOf(set)} @${set.name}`, valuesOf(set.elem)]))
  const rules = of('rule')
  return chains.flatMap((chain) =>
    rules
      .filter((rule) => tableOf(rule) === tableOf(chain) && rule.chain === chain.name)
      .map((rule) => parseRule(rule, { chain: `${tableOf(chain)} ${chain.name}`, sets })),
  )
}

function tableOf({ family, table }: Item): string {
  return `${family} ${table}`
}

function parseRule(rule: Item, { chain, sets }: { chain: string; sets: ReadonlyMap<string, string[]> }): NatRule {
  const conditions: NatCondition[] = []
  let action: NatRule['action'] = 'none'
  let address: string | undefined
  let isUnclear = false
  for (const statement of (rule.expr ?? []) as Item[]) {
    if (statement.match !== undefined) {
      const condition = parseMatch(statement.match as Item, { table: tableOf(rule), sets })
      if (condition === undefined) isUnclear = true
      else if (condition !== 'always') conditions.push(condition)
    } else if ('masquerade' in statement) action = 'masquerade'
    else if (statement.snat !== undefined) {
      action = 'snat'
      address = String((statement.snat as Item).addr)
    } else if ('accept' in statement || 'return' in statement) action = 'accept'
    else if (!('counter' in statement) && !('log' in statement)) isUnclear = true
  }
  return { chain, conditions, action, ...(address === undefined ? {} : { address }), isUnclear }
}

/** `always`: a condition on what is given, such as the family. Undefined: not understood. */
function parseMatch(
  { op, left, right }: Item,
  { table, sets }: { table: string; sets: ReadonlyMap<string, string[]> },
): NatCondition | 'always' | undefined {
  const { meta, payload } = left as { meta?: Item; payload?: Item }
  if (meta?.key === 'nfproto') return 'always'
  const field = meta?.key ?? payload?.field
  if (field !== 'oifname' && field !== 'iifname' && field !== 'saddr' && field !== 'daddr') return undefined
  if (op !== '==' && op !== '!=' && op !== 'in') return undefined
  const isSet = typeof right === 'string' && right.startsWith('@')
  const values = isSet ? sets.get(`${table} ${right}`) : valuesOf(right)
  return values === undefined ? undefined : { field, isNegated: op === '!=', values }
}

function valuesOf(value: unknown): string[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value.flatMap(valuesOf)
  if (typeof value !== 'object' || value === null) return [String(value)]
  const { prefix, set, elem } = value as {
    prefix?: { addr: string; len: number }
    set?: unknown
    elem?: { val?: unknown }
  }
  if (prefix !== undefined) return [`${prefix.addr}/${prefix.len}`]
  return set === undefined ? valuesOf(elem?.val) : valuesOf(set)
}
