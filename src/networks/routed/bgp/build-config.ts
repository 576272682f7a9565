import { cidrOf, formatCidr, parseCidr } from '../../../base/ip.ts'
import type {
  BgpProtocol,
  BgpTimers,
  BirdConfig,
  BirdFilter,
  BirdLogClass,
  BirdProtocol,
  NetworkPattern,
  NetworkTerm,
  StaticRoute,
} from '../../../bird/config.ts'
import type { IPPool } from '../resources.ts'
import { type BgpNode, defaultBgpPort } from './bgp-node.ts'
import type { BgpSession } from './select-peers.ts'

export interface BirdInput {
  readonly local: BgpNode & { readonly ipv4Address: string }
  readonly sessions: readonly BgpSession[]
  /** Prefixes of blocks that are confirmed to be the local node's. */
  readonly ownBlocks: readonly string[]
  readonly pools: readonly IPPool[]
  readonly logSeverity: string
  /** Passwords of sessions that have one, by `<address>:<port>`. */
  readonly passwords?: ReadonlyMap<string, string>
}

const peerExport = 'twinlane_to_peers'
const kernelExport = 'twinlane_to_kernel'

/** BIRD's default is 240: with one peer down, a node that restarts would be without routes for four minutes. */
const gracefulRestartWaitSeconds = 15

/** A dead node is noticed after 30 seconds, not after BIRD's 240. */
const timers: BgpTimers = {
  holdSeconds: 30,
  keepaliveSeconds: 10,
  connectDelaySeconds: 1,
  connectRetrySeconds: 5,
  errorWaitSeconds: [1, 30],
}

/** The configuration of this node's BIRD (as Calico does). */
export function buildBirdConfig(input: BirdInput): BirdConfig {
  return {
    routerId: input.local.ipv4Address,
    log: { target: 'stderr', classes: logClasses(input.logSeverity) },
    gracefulRestartWaitSeconds,
    filters: [peerFilter(input), kernelFilter],
    protocols: [...localProtocols(input), ...input.sessions.map((session) => bgpProtocol(session, input))],
  }
}

/** `Mesh_`, `Global_` or `Node_`, from which `node status` reads the peer's type, and the address. */
export function sessionName({ kind, address, port }: BgpSession): string {
  const prefix = { mesh: 'Mesh', global: 'Global', node: 'Node' }[kind]
  const suffix = port === defaultBgpPort ? '' : `_port_${port}`
  return `${prefix}_${address.replaceAll(/[.:]/g, '_')}${suffix}`
}

/**
 * What peers get to know: own blocks but no address inside them; everything else of the pools, which is addresses
 * borrowed from others' blocks and what is reflected; nothing of pools that are not to be exported; nothing else.
 */
function peerFilter({ ownBlocks, pools }: BirdInput): BirdFilter {
  const hidden = pools.filter(({ spec }) => spec.disableBGPExport === true)
  const shown = pools.filter(({ spec }) => spec.disableBGPExport !== true)
  const own = ipv4(ownBlocks)
  const terms: NetworkTerm[] = [
    { comment: 'pools that are not exported', networks: patterns(poolCidrs(hidden), 'covered'), action: 'reject' },
    { comment: 'own blocks', networks: patterns(own, 'exact'), action: 'accept' },
    { comment: 'addresses inside own blocks', networks: patterns(own.filter(isNotHost), 'longer'), action: 'reject' },
    {
      comment: 'borrowed addresses, and blocks of others',
      networks: patterns(poolCidrs(shown), 'covered'),
      action: 'accept',
    },
  ]
  return { name: peerExport, terms: terms.filter(({ networks }) => networks.length > 0), otherwise: 'reject' }
}

/** Everything that peers say goes to the kernel. It has the networks of its own interfaces already; BIRD would add them twice. */
const kernelFilter: BirdFilter = {
  name: kernelExport,
  terms: [{ source: 'device', action: 'reject' }],
  otherwise: 'accept',
}

function localProtocols({ ownBlocks, sessions }: BirdInput): BirdProtocol[] {
  const routes: StaticRoute[] = [
    ...ipv4(ownBlocks)
      .filter(isNotHost)
      .map((cidr) => ({ cidr, via: 'blackhole' as const })),
    ...sessions.flatMap(reachableByRoute),
  ]
  return [
    { protocol: 'device', scanSeconds: 2 },
    { protocol: 'direct', name: 'direct4', exceptInterfaces: ['cali*', 'kube-ipvs*'] },
    { protocol: 'kernel', name: 'kernel4', scanSeconds: 2, exportFilter: kernelExport },
    { protocol: 'static', name: 'static4', routes },
  ]
}

function reachableByRoute({ address, options }: BgpSession): StaticRoute[] {
  if (options.reachableBy === undefined) return []
  return [{ cidr: formatCidr(cidrOf(address, 32, 4)), via: { gateway: options.reachableBy } }]
}

function bgpProtocol(session: BgpSession, { local, passwords }: BirdInput): BgpProtocol {
  const { options } = session
  const clusterId = session.isRouteReflectorClient ? local.routeReflectorClusterId : undefined
  const password = passwords?.get(`${session.address}:${session.port}`)
  const restartSeconds = secondsOf(options.maxRestartTime)
  return {
    protocol: 'bgp',
    name: sessionName(session),
    description: session.description,
    localAddress: local.ipv4Address,
    localAsNumber: local.asNumber,
    localPort: local.listenPort,
    neighborAddress: session.address,
    neighborPort: session.port,
    neighborAsNumber: session.asNumber,
    isPassive: session.isPassive,
    exportFilter: peerExport,
    timers,
    ...(clusterId === undefined ? {} : { routeReflectorClusterId: clusterId }),
    ...(options.allowedLocalAsNumbers === undefined ? {} : { allowedLocalAsNumbers: options.allowedLocalAsNumbers }),
    ...(options.ttlSecurityHops === undefined ? {} : { ttlSecurityHops: options.ttlSecurityHops }),
    ...(options.keepsNextHop === true && session.asNumber !== local.asNumber ? { keepsNextHop: true } : {}),
    ...(restartSeconds === undefined ? {} : { gracefulRestartSeconds: restartSeconds }),
    ...(password === undefined ? {} : { password }),
  }
}

/** `90s`, `2m`, `1m30s` as Go writes durations. */
function secondsOf(duration: string | undefined): number | undefined {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(duration ?? '')
  if (match === null || duration === undefined || duration === '') return undefined
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)
}

function logClasses(severity: string): BirdLogClass[] {
  const always: BirdLogClass[] = ['fatal', 'bug']
  const classes: Record<string, BirdLogClass[]> = {
    none: always,
    fatal: always,
    error: ['error', 'auth', ...always],
    warning: ['warning', 'error', 'auth', ...always],
    info: ['info', 'remote', 'warning', 'error', 'auth', ...always],
    debug: ['debug', 'trace', 'info', 'remote', 'warning', 'error', 'auth', ...always],
  }
  return classes[severity.toLowerCase()] ?? classes.info ?? always
}

function poolCidrs(pools: readonly IPPool[]): string[] {
  return ipv4(pools.map(({ spec }) => spec.cidr))
}

/** Sorted, without repeats and IPv6. */
function ipv4(cidrs: readonly string[]): string[] {
  return [...new Set(cidrs)]
    .filter((cidr) => !cidr.includes(':'))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

function patterns(cidrs: readonly string[], match: NetworkPattern['match']): NetworkPattern[] {
  return cidrs.map((cidr) => ({ cidr: formatCidr(parseCidr(cidr)), match }))
}

function isNotHost(cidr: string): boolean {
  return parseCidr(cidr).prefixLength < 32
}
