import type { Family } from '../base/ip.ts'

/**
 * The part of BIRD 2's configuration that this project writes, as data. `render.ts` turns it into text. Times are in
 * seconds because BIRD's are.
 */
export interface BirdConfig {
  /** 32 bits in the form of an IPv4 address. */
  readonly routerId: string
  readonly log: BirdLog
  /** How long a starting BIRD waits for its peers before it touches the kernel's routes. BIRD's own default is 240. */
  readonly gracefulRestartWaitSeconds: number
  readonly filters: readonly BirdFilter[]
  readonly protocols: readonly BirdProtocol[]
}

export interface BirdLog {
  /** `stderr`, `syslog`, or the path of a file. */
  readonly target: string
  readonly classes: readonly BirdLogClass[]
}

export type BirdLogClass = 'debug' | 'trace' | 'info' | 'remote' | 'warning' | 'error' | 'auth' | 'fatal' | 'bug'

/** A filter is a list of terms; the first that accepts or rejects decides. */
export interface BirdFilter {
  readonly name: string
  readonly terms: readonly FilterTerm[]
  readonly otherwise: 'accept' | 'reject'
}

/** What a term does with a route that matches: decide, or mark it and let the next term decide. */
export type FilterAction = 'accept' | 'reject' | { readonly addCommunities: readonly string[] }

/** Decides, or marks, routes for which every condition holds. Without conditions: every route. */
export interface FilterTerm {
  readonly conditions: readonly FilterCondition[]
  readonly action: FilterAction
  readonly comment?: string
}

export type FilterCondition =
  | NetworkCondition
  | SourceCondition
  | ProtocolCondition
  | InterfaceCondition
  | InstallerCondition

/** The route's network is any of these, or none of them. */
export interface NetworkCondition {
  readonly networks: readonly NetworkPattern[]
  readonly isNegated?: boolean
}

/** Where BIRD has the route from. */
export interface SourceCondition {
  readonly source: 'device' | 'static' | 'bgp'
}

/** The protocol, by its name, that BIRD has the route from. */
export interface ProtocolCondition {
  readonly isFrom: string
}

/** The protocol, by the kernel's number (RTPROT_*), whose route BIRD has learned from the kernel. */
export interface InstallerCondition {
  readonly installedBy: number
}

/** The interface that the route leads out of; `*` and `?` as in file names. */
export interface InterfaceCondition {
  readonly interface: string
}

/**
 * `exact`: this prefix. `longer`: what lies inside it, not itself. `covered`: itself and what lies inside. Two lengths:
 * what lies inside and is that long.
 */
export interface NetworkPattern {
  readonly cidr: string
  readonly match: 'exact' | 'longer' | 'covered' | { readonly shortest: number; readonly longest: number }
}

export type BirdProtocol = DeviceProtocol | DirectProtocol | KernelProtocol | StaticProtocol | BfdProtocol | BgpProtocol

export interface DeviceProtocol {
  readonly protocol: 'device'
  readonly scanSeconds: number
}

/** Networks of the host's own interfaces. */
export interface DirectProtocol {
  readonly protocol: 'direct'
  readonly name: string
  readonly family: Family
  /** Patterns with `*`; everything else is included. */
  readonly exceptInterfaces: readonly string[]
}

/** The kernel's main table of a family. Routes that others put there are learned, ours stay when BIRD ends. */
export interface KernelProtocol {
  readonly protocol: 'kernel'
  readonly name: string
  readonly family: Family
  readonly scanSeconds: number
  /** Name of the filter for what is learned. @default everything is */
  readonly importFilter?: string
  /** Name of the filter for what goes to the kernel. */
  readonly exportFilter: string
}

export interface StaticProtocol {
  readonly protocol: 'static'
  readonly name: string
  readonly family: Family
  readonly routes: readonly StaticRoute[]
  /** Which of several routes to one network is used; the highest is. @default 200, where BGP has 100 */
  readonly preference?: number
}

export interface StaticRoute {
  readonly cidr: string
  readonly via: 'blackhole' | { readonly gateways: readonly string[] }
}

/** Notices within `intervalMs` times `multiplier` that a peer is gone, for the sessions that use it. */
export interface BfdProtocol {
  readonly protocol: 'bfd'
  readonly name: string
  readonly intervalMs: number
  readonly multiplier: number
}

/** A session; it carries the family of the neighbor's address. */
export interface BgpProtocol {
  readonly protocol: 'bgp'
  readonly name: string
  readonly description?: string
  /** Absent: whatever the routing table says. */
  readonly localAddress?: string
  readonly localAsNumber: number
  readonly neighborAddress: string
  readonly neighborPort: number
  readonly neighborAsNumber: number
  /** The port that we listen on. @default 179 */
  readonly localPort?: number
  readonly isPassive: boolean
  /** The neighbor is a client of ours, as the reflector with this cluster ID. */
  readonly routeReflectorClusterId?: string
  /** @default everything is imported */
  readonly importFilter?: string
  readonly exportFilter: string
  readonly timers: BgpTimers
  /** `allow local as N` */
  readonly allowedLocalAsNumbers?: number
  readonly ttlSecurityHops?: number
  /** The neighbor is on the link: BFD is that of one hop (RFC 5881). @default any number of hops (RFC 5883) */
  readonly isDirect?: boolean
  /** Next hop of what we announce: ours, or as we have it. @default as BGP has it: ours over eBGP, kept over iBGP */
  readonly nextHop?: 'self' | 'keep'
  /** Listens on `localAddress` only. */
  readonly isBindStrict?: boolean
  readonly usesBfd?: boolean
  readonly gracefulRestartSeconds?: number
  readonly password?: string
}

export interface BgpTimers {
  readonly holdSeconds: number
  readonly keepaliveSeconds: number
  readonly connectDelaySeconds: number
  readonly connectRetrySeconds: number
  readonly errorWaitSeconds: readonly [number, number]
}
