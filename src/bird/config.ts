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

/** A filter is a list of terms; the first that matches decides. */
export interface BirdFilter {
  readonly name: string
  readonly terms: readonly FilterTerm[]
  readonly otherwise: FilterAction
}

export type FilterAction = 'accept' | 'reject'

export type FilterTerm = NetworkTerm | SourceTerm

export interface NetworkTerm {
  /** Any of these networks. */
  readonly networks: readonly NetworkPattern[]
  readonly action: FilterAction
  readonly comment?: string
}

/** Routes by where BIRD has them from. */
export interface SourceTerm {
  readonly source: 'device' | 'static' | 'bgp'
  readonly action: FilterAction
  readonly comment?: string
}

/** `exact`: this prefix. `longer`: what lies inside it, not itself. `covered`: itself and what lies inside. */
export interface NetworkPattern {
  readonly cidr: string
  readonly match: 'exact' | 'longer' | 'covered'
}

export type BirdProtocol = DeviceProtocol | DirectProtocol | KernelProtocol | StaticProtocol | BgpProtocol

export interface DeviceProtocol {
  readonly protocol: 'device'
  readonly scanSeconds: number
}

/** Networks of the host's own interfaces. */
export interface DirectProtocol {
  readonly protocol: 'direct'
  readonly name: string
  /** Patterns with `*`; everything else is included. */
  readonly exceptInterfaces: readonly string[]
}

/** The kernel's main IPv4 table. Routes that others put there are learned, ours stay when BIRD ends. */
export interface KernelProtocol {
  readonly protocol: 'kernel'
  readonly name: string
  readonly scanSeconds: number
  /** Name of the filter for what goes to the kernel. */
  readonly exportFilter: string
}

export interface StaticProtocol {
  readonly protocol: 'static'
  readonly name: string
  readonly routes: readonly StaticRoute[]
}

export interface StaticRoute {
  readonly cidr: string
  readonly via: 'blackhole' | { readonly gateway: string }
}

export interface BgpProtocol {
  readonly protocol: 'bgp'
  readonly name: string
  readonly description?: string
  readonly localAddress: string
  readonly localAsNumber: number
  readonly neighborAddress: string
  readonly neighborPort: number
  readonly neighborAsNumber: number
  /** The port that we listen on. @default 179 */
  readonly localPort?: number
  readonly isPassive: boolean
  /** The neighbor is a client of ours, as the reflector with this cluster ID. */
  readonly routeReflectorClusterId?: string
  readonly exportFilter: string
  readonly timers: BgpTimers
  /** `allow local as N` */
  readonly allowedLocalAsNumbers?: number
  readonly ttlSecurityHops?: number
  readonly keepsNextHop?: boolean
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
