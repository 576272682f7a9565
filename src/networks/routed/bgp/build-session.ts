import { familyOf } from '../../../base/ip.ts'
import type { BgpProtocol, BgpTimers } from '../../../bird/config.ts'
import type { BgpNode } from './bgp-node.ts'
import { type BgpSettings, defaultBgpPort } from './bgp-settings.ts'
import type { BgpSession } from './select-peers.ts'

/** What a session is made from beside itself. */
export interface SessionInput {
  readonly local: BgpNode
  readonly settings: Pick<BgpSettings, 'isBindStrict'>
  readonly passwords?: ReadonlyMap<string, string>
  readonly exportFilter: string
  readonly importFilter?: string
}

/** A dead node is noticed after 30 seconds, not after BIRD's 240. */
const timers: BgpTimers = {
  holdSeconds: 30,
  keepaliveSeconds: 10,
  connectDelaySeconds: 1,
  connectRetrySeconds: 5,
  errorWaitSeconds: [1, 30],
}

const prefixes = { mesh: 'Mesh', global: 'Global', node: 'Node' } as const

/** `Mesh_`, `Global_` or `Node_`, from which `node status` reads the peer's type, and the address. */
export function sessionName({ kind, address, port }: BgpSession): string {
  const prefix = prefixes[kind]
  const suffix = port === defaultBgpPort ? '' : `_port_${port}`
  return `${prefix}_${address.replaceAll(/[.:]/g, '_')}${suffix}`
}

/** The kind of session that a protocol's name tells; undefined for a name that is none of ours. */
export function peerTypeOf(name: string): BgpSession['kind'] | undefined {
  const prefix = name.split('_', 1)[0]
  return (['mesh', 'global', 'node'] as const).find((kind) => prefixes[kind] === prefix && name !== prefix)
}

/** Whether BFD watches the session. */
export function isWatched({ options }: BgpSession): boolean {
  return options.failureDetectionMode === 'BFDIfDirectlyConnected'
}

/** The session in BIRD's words. */
export function bgpProtocol(session: BgpSession, input: SessionInput): BgpProtocol {
  const { local, exportFilter, importFilter } = input
  return {
    protocol: 'bgp',
    name: sessionName(session),
    description: session.description,
    localAsNumber: session.options.localAsNumber ?? local.asNumber,
    localPort: local.listenPort,
    neighborAddress: session.address,
    neighborPort: session.port,
    neighborAsNumber: session.asNumber,
    isPassive: session.isPassive,
    exportFilter,
    timers,
    ...(importFilter === undefined ? {} : { importFilter }),
    ...localSide(session, input),
    ...chosenOptions(session, input),
  }
}

/** BFD over several hops, and listening on one address, both need to know that address. */
function localSide(session: BgpSession, { local, settings }: SessionInput): Partial<BgpProtocol> {
  const localAddress = local.addresses[familyOf(session.address)]
  const isFree = session.options.isFromAnyAddress === true && !isWatched(session) && !settings.isBindStrict
  return {
    ...(localAddress === undefined || isFree ? {} : { localAddress }),
    ...(settings.isBindStrict ? { isBindStrict: true } : {}),
  }
}

function chosenOptions(session: BgpSession, { local, passwords }: SessionInput): Partial<BgpProtocol> {
  const { options } = session
  const chosen: { [Key in keyof BgpProtocol]?: BgpProtocol[Key] | undefined } = {
    routeReflectorClusterId: session.isRouteReflectorClient ? local.routeReflectorClusterId : undefined,
    allowedLocalAsNumbers: options.allowedLocalAsNumbers,
    ttlSecurityHops: options.ttlSecurityHops,
    nextHop: nextHopOf(session, local),
    gracefulRestartSeconds: secondsOf(options.maxRestartTime),
    password: passwords?.get(`${session.address}:${session.port}`),
    usesBfd: isWatched(session) ? true : undefined,
    isDirect: isWatched(session) && session.isOnLink === true && !saysDistance(session) ? true : undefined,
  }
  return Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined))
}

/** The peer is meant to be further away than its address looks. */
function saysDistance({ options }: BgpSession): boolean {
  return options.ttlSecurityHops !== undefined || options.reachableBy !== undefined
}

/** Over iBGP the next hop is kept anyway; saying so would only reload BIRD. */
function nextHopOf({ options, asNumber }: BgpSession, local: BgpNode): 'self' | 'keep' | undefined {
  return options.nextHop === 'keep' && asNumber === local.asNumber ? undefined : options.nextHop
}

/** `90s`, `2m`, `1m30s` as Go writes durations. */
export function secondsOf(duration: string | undefined): number | undefined {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(duration ?? '')
  if (match === null || duration === undefined || duration === '') return undefined
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)
}
