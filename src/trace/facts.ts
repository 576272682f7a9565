import type { BirdRoute } from '../bird/routes.ts'
import type { Route, Rule } from '../kernel/kernel.ts'
import type { NatRule } from './nat.ts'

/** What one node knows of a packet's way, as `twinlane node facts` prints it. */
export interface NodeFacts {
  readonly node: string
  readonly host: NetnsFacts
  /** Every pod of the node that our agent has attached. */
  readonly pods: readonly PodFacts[]
  /** Source NAT of the host, in the order in which it is asked. */
  readonly nat: readonly NatRule[]
  /** OVN's southbound database as this node reaches it. */
  readonly southbound: string
  /** Control socket of ovs-vswitchd; absent when it does not run. */
  readonly switchSocket?: string | undefined
  /** Names in OVN of devices that Open vSwitch has. */
  readonly logicalPorts: Readonly<Record<string, string>>
  /** Of BIRD, for the prefixes of the host's main table; empty when it does not run. */
  readonly bird: readonly BirdRoute[]
}

/** Routing of one network namespace. */
export interface NetnsFacts {
  readonly devices: readonly DeviceFacts[]
  /** In the order in which the kernel looks at them. */
  readonly rules: readonly Rule[]
  /** Of every table that a rule names. */
  readonly routes: readonly Route[]
}

export interface DeviceFacts {
  readonly name: string
  readonly mac: string
  readonly isUp: boolean
  /** With their length, e.g. `10.144.0.5/24`. */
  readonly addresses: readonly string[]
}

export interface PodFacts {
  readonly namespace: string
  readonly name: string
  readonly kernel: NetnsFacts
  readonly interfaces: readonly PodInterfaceFacts[]
}

export interface PodInterfaceFacts {
  readonly name: string
  /** `<namespace>/<definition>`, or the name of the default network. */
  readonly network: string
  /** Its other end on the host; absent when its plugin did not say. */
  readonly hostDevice?: string | undefined
}
