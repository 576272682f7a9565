import { type Family, familyOf, isAddress, parseCidr } from '../base/ip.ts'
import type {
  BfdProtocol,
  BgpProtocol,
  BirdConfig,
  BirdFilter,
  BirdProtocol,
  FilterAction,
  FilterCondition,
  FilterTerm,
  KernelProtocol,
  NetworkPattern,
  StaticProtocol,
  StaticRoute,
} from './config.ts'
import { BirdError } from './errors.ts'

/**
 * The text of a configuration file for BIRD 2. Equal models give equal text, so that a reload happens only when
 * something has changed. Throws BirdError for a value that BIRD's grammar cannot hold.
 */
export function renderBirdConfig(config: BirdConfig): string {
  return `${[
    `# Written by Twinlane. Changes made here are lost.`,
    `log ${logTarget(config.log.target)} { ${config.log.classes.join(', ')} };`,
    `router id ${address(config.routerId)};`,
    `graceful restart wait ${whole(config.gracefulRestartWaitSeconds)};`,
    // Sessions of today show the time, older ones the date, as in every calicoctl transcript.
    `timeformat protocol "%H:%M:%S" 86400 "%Y-%m-%d";`,
    ...config.filters.map(renderFilter),
    ...config.protocols.map(renderProtocol),
  ].join('\n')}\n`
}

function renderFilter(filter: BirdFilter): string {
  return block(`\nfilter ${name(filter.name)}`, [...filter.terms.map(renderTerm), `${filter.otherwise};`])
}

function renderTerm(term: FilterTerm): string {
  const comment = term.comment === undefined ? '' : `# ${term.comment.replaceAll(/[\r\n]/g, ' ')}\n  `
  // An empty set is a syntax error in BIRD; a term that no network can match has nothing to say.
  if (term.conditions.some(matchesNothing)) return `${comment}# no networks`
  const conditions = term.conditions.map(renderCondition).join(' && ')
  return `${comment}${conditions === '' ? '' : `if ${conditions} then `}${renderAction(term.action)}`
}

function matchesNothing(condition: FilterCondition): boolean {
  return 'networks' in condition && condition.networks.length === 0 && condition.isNegated !== true
}

const routeSources = { device: 'RTS_DEVICE', static: 'RTS_STATIC', bgp: 'RTS_BGP' } as const

function renderCondition(condition: FilterCondition): string {
  if ('source' in condition) return `source = ${routeSources[condition.source]}`
  if ('isFrom' in condition) return `proto = ${quoted(condition.isFrom)}`
  if ('installedBy' in condition) return `krt_source = ${whole(condition.installedBy)}`
  if ('interface' in condition) return `ifname ~ ${quoted(condition.interface)}`
  const operator = condition.isNegated === true ? '!~' : '~'
  return `net ${operator} [ ${condition.networks.map(renderPattern).join(', ')} ]`
}

function renderAction(action: FilterAction): string {
  if (typeof action === 'string') return `${action};`
  return `{ ${action.addCommunities.map(renderCommunity).join(' ')} }`
}

/** `aa:nn` (RFC 1997) or `aa:nn:mm` (RFC 8092). Throws BirdError. */
function renderCommunity(text: string): string {
  const parts = text.split(':')
  const most = parts.length === 2 ? 0xffff : 0xffff_ffff
  const numbers = parts.map((part) => (/^\d{1,10}$/.test(part) ? Number(part) : Number.NaN))
  const isValid = (parts.length === 2 || parts.length === 3) && numbers.every((number) => number <= most)
  if (!isValid) throw new BirdError(`"${text}" is not a BGP community (aa:nn or aa:nn:mm)`)
  return `${parts.length === 2 ? 'bgp_community' : 'bgp_large_community'}.add((${numbers.join(', ')}));`
}

function renderPattern(pattern: NetworkPattern): string {
  const cidr = parseCidr(pattern.cidr, { strict: true })
  const text = `${cidr.network}/${cidr.prefixLength}`
  if (pattern.match === 'exact') return text
  if (pattern.match === 'covered') return `${text}+`
  const longest = cidr.family === 4 ? 32 : 128
  if (typeof pattern.match === 'object') return `${text}{${lengths(pattern.match, cidr.prefixLength, longest)}}`
  if (cidr.prefixLength === longest) throw new BirdError(`nothing is longer than ${text}`)
  return `${text}{${cidr.prefixLength + 1},${longest}}`
}

function lengths(wanted: { shortest: number; longest: number }, least: number, most: number): string {
  const { shortest, longest } = wanted
  if (shortest > longest || longest > most) throw new BirdError(`prefix lengths ${shortest} to ${longest} do not exist`)
  return `${whole(Math.max(shortest, least))},${whole(longest)}`
}

function renderProtocol(protocol: BirdProtocol): string {
  switch (protocol.protocol) {
    case 'device':
      return block('\nprotocol device', [`scan time ${whole(protocol.scanSeconds)};`])
    case 'direct':
      return block(`\nprotocol direct ${name(protocol.name)}`, [
        `${channel(protocol.family)};`,
        `interface ${[...protocol.exceptInterfaces.map((pattern) => `-${quoted(pattern)}`), '"*"'].join(', ')};`,
      ])
    case 'kernel':
      return renderKernel(protocol)
    case 'static':
      return renderStatic(protocol)
    case 'bfd':
      return renderBfd(protocol)
    case 'bgp':
      return renderBgp(protocol)
  }
}

function channel(family: Family): string {
  return `ipv${family}`
}

/** Our sessions are multihop, and so is then their BFD (RFC 5883). */
function renderBfd(protocol: BfdProtocol): string {
  const times = `interval ${whole(protocol.intervalMs)} ms; multiplier ${whole(protocol.multiplier)};`
  return block(`\nprotocol bfd ${name(protocol.name)}`, [`interface "*" { ${times} };`, `multihop { ${times} };`])
}

function renderKernel(protocol: KernelProtocol): string {
  return block(`\nprotocol kernel ${name(protocol.name)}`, [
    'learn;',
    'persist;',
    `scan time ${whole(protocol.scanSeconds)};`,
    'graceful restart;',
    'merge paths on;',
    `${channel(protocol.family)} {`,
    protocol.importFilter === undefined ? '  import all;' : `  import filter ${name(protocol.importFilter)};`,
    `  export filter ${name(protocol.exportFilter)};`,
    '};',
  ])
}

function renderStatic(protocol: StaticProtocol): string {
  return block(`\nprotocol static ${name(protocol.name)}`, [
    protocol.preference === undefined
      ? `${channel(protocol.family)};`
      : `${channel(protocol.family)} { preference ${whole(protocol.preference)}; };`,
    ...protocol.routes.map((route) => `route ${canonicalCidr(route.cidr)} ${renderVia(route)};`),
  ])
}

function renderVia({ cidr, via }: StaticRoute): string {
  if (via === 'blackhole') return 'blackhole'
  if (via.gateways.length === 0) throw new BirdError(`the route to ${cidr} has no gateway`)
  return via.gateways.map((gateway) => `via ${address(gateway)}`).join(' ')
}

function renderBgp(protocol: BgpProtocol): string {
  return block(`\nprotocol bgp ${name(protocol.name)}`, [
    ...optional(protocol.description, (text) => `description ${quoted(text)};`),
    `local ${[...optional(protocol.localAddress, address), ...localPort(protocol)].map((part) => `${part} `).join('')}as ${whole(protocol.localAsNumber)};`,
    ...(protocol.isBindStrict === true ? ['strict bind on;'] : []),
    `neighbor ${address(protocol.neighborAddress)} port ${whole(protocol.neighborPort)} as ${whole(protocol.neighborAsNumber)};`,
    ...optional(protocol.localAddress, (text) => `source address ${address(text)};`),
    distance(protocol),
    ...optional(protocol.ttlSecurityHops, () => 'ttl security on;'),
    ...optional(protocol.password, (text) => `password ${quoted(text)};`),
    ...(protocol.isPassive ? ['passive on;'] : []),
    ...optional(protocol.routeReflectorClusterId, (id) => `rr client;\n  rr cluster id ${address(id)};`),
    ...optional(protocol.allowedLocalAsNumbers, (count) => `allow local as ${whole(count)};`),
    ...(protocol.usesBfd === true ? ['bfd on;'] : []),
    ...timers(protocol),
    `${channel(familyOf(protocol.neighborAddress))} {`,
    `  import ${protocol.importFilter === undefined ? 'all' : `filter ${name(protocol.importFilter)}`};`,
    `  export filter ${name(protocol.exportFilter)};`,
    '  add paths on;',
    '  gateway recursive;',
    ...optional(protocol.nextHop, (hop) => `  next hop ${hop};`),
    '};',
  ])
}

function distance({ isDirect, ttlSecurityHops }: BgpProtocol): string {
  if (isDirect === true) return 'direct;'
  return ttlSecurityHops === undefined ? 'multihop;' : `multihop ${whole(ttlSecurityHops)};`
}

function timers({ timers: times, gracefulRestartSeconds }: BgpProtocol): string[] {
  return [
    'graceful restart on;',
    ...optional(gracefulRestartSeconds, (seconds) => `graceful restart time ${whole(seconds)};`),
    `hold time ${whole(times.holdSeconds)};`,
    `keepalive time ${whole(times.keepaliveSeconds)};`,
    `connect delay time ${whole(times.connectDelaySeconds)};`,
    `connect retry time ${whole(times.connectRetrySeconds)};`,
    `error wait time ${times.errorWaitSeconds.map(whole).join(', ')};`,
  ]
}

function localPort({ localPort: port }: BgpProtocol): string[] {
  return port === undefined || port === 179 ? [] : [`port ${whole(port)}`]
}

function block(head: string, lines: readonly string[]): string {
  return `${head} {\n${lines.map((line) => `  ${line}\n`).join('')}}`
}

function optional<T>(value: T | undefined, line: (value: T) => string): string[] {
  return value === undefined ? [] : [line(value)]
}

/**
 * Names come from this project, never from a user: quotes would not make a name of one of BIRD's many keywords, such
 * as `export` or `all`.
 */
function name(text: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(text)) throw new BirdError(`"${text}" cannot be a name in BIRD`)
  return text
}

/** BIRD's strings know no escapes. */
function quoted(text: string): string {
  if (/["\r\n\0]/.test(text)) throw new BirdError('a quote or a line break cannot stand in a text of BIRD')
  return `"${text}"`
}

function logTarget(target: string): string {
  return target === 'stderr' || target === 'syslog' ? target : quoted(target)
}

function address(text: string): string {
  if (!isAddress(text)) throw new BirdError(`"${text}" is not an address`)
  return text
}

function canonicalCidr(text: string): string {
  const cidr = parseCidr(text, { strict: true })
  return `${cidr.network}/${cidr.prefixLength}`
}

function whole(value: number): string {
  if (!Number.isInteger(value) || value < 0) throw new BirdError(`${value} is not a whole number`)
  return String(value)
}
