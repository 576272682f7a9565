import type { NetworkAttachmentDefinition } from '../kube/resources/net-attach-def.ts'
import type { NetworkDriver } from '../networks/driver.ts'

/** What rules may know beside the object. */
export interface LintFacts {
  /** Of the files, and of the cluster when there is one. */
  readonly definitions: readonly NetworkAttachmentDefinition[]
  /** Whether `definitions` are all there are: a network that is not among them does not exist. */
  readonly isComplete: boolean
  readonly drivers: readonly NetworkDriver[]
  findDriver(type: string): NetworkDriver
  /** A pod may use definitions of its own namespace and of these only; undefined: of every namespace. */
  readonly isolatedTo?: readonly string[] | undefined
}

/** Plugins of the reference collection and a few that everybody knows: a type near one of them is a typing error. */
export const knownPlugins: readonly string[] = [
  'bandwidth',
  'bridge',
  'cilium-cni',
  'dhcp',
  'dummy',
  'firewall',
  'flannel',
  'host-device',
  'host-local',
  'ipvlan',
  'loopback',
  'macvlan',
  'portmap',
  'ptp',
  'sbr',
  'sriov',
  'static',
  'tap',
  'tuning',
  'vlan',
  'vrf',
  'whereabouts',
]
