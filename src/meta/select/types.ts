import type { NetworkConfigList } from '../../cni/request.ts'
import type { CniResult } from '../../cni/result.ts'
import type { NetworkAttachmentDefinition } from '../../kube/resources/net-attach-def.ts'
import type { NetworkSelection } from '../../kube/resources/network-selection.ts'
import type { NetworkDriver, RequestedAttachment } from '../../networks/driver.ts'
import type { PodDevices } from '../assign-devices.ts'
import type { MetaConfig } from '../net-conf.ts'
import type { PodNetworks } from './pod-networks.ts'

/** A network that a pod is to be attached to. */
export interface SelectedAttachment {
  readonly ifName: string
  /** `<namespace>/<NAD name>`, or the CNI network's name for a delegate. */
  readonly networkName: string
  readonly driver: NetworkDriver
  /** Complete: runtimeConfig and arguments are filled in. */
  readonly configList: NetworkConfigList
  readonly isDefault: boolean
  readonly nad?: { readonly namespace: string; readonly name: string } | undefined
  readonly requested: RequestedAttachment
  /** What the networks annotation said; absent for what came from the configuration. */
  readonly selection?: NetworkSelection | undefined
  /** Added to CNI_ARGS. */
  readonly args: Readonly<Record<string, string>>
  /** Result of an earlier ADD of the same attachment that was never deleted. */
  readonly prevResult?: CniResult | undefined
}

/** A network that is attached to every pod. */
export interface BaseNetwork {
  /** `<namespace>/<NAD name>`, or the CNI network's name. */
  readonly networkName: string
  readonly list: NetworkConfigList
  readonly nad?: { readonly namespace: string; readonly name: string } | undefined
  /** Resource whose devices it is made of. */
  readonly resourceName?: string | undefined
}

export interface SelectOptions {
  readonly conf: MetaConfig
  readonly networks: PodNetworks
  readonly podNamespace: string
  /** CNI_IFNAME: interface of the default network. */
  readonly defaultInterface: string
  /** The runtime's own runtimeConfig; for the default network, or what replaces it, only (NPWG standard, section 7.5). */
  readonly runtimeConfig: Readonly<Record<string, unknown>>
  /** Those of the meta-plugin's configuration; the first is the default network. */
  readonly base: readonly BaseNetwork[]
  findDefinition(namespace: string, name: string): NetworkAttachmentDefinition | undefined
  /** A configuration on this node by its name, for a definition that has none. */
  findFile(name: string): NetworkConfigList | undefined
  /** What is wrong with files in `confDir`; told when a network was not found there. */
  readonly fileProblems: readonly string[]
  /** What the kubelet has given the pod. */
  readonly devices: PodDevices
  /** Where information on an attachment's device is to be (capability CNIDeviceInfoFile). */
  deviceInfoFile(attachment: { networkName: string; ifName: string }): string
  findDriver(type: string): NetworkDriver
  /** Whether there is an executable for a type that no driver serves itself. */
  isInstalled(type: string): boolean
  /** Folders with plugin executables, for messages. */
  readonly folders: readonly string[]
}

/** What selecting a network by its definition needs. */
export type DefinitionSources = Omit<SelectOptions, 'networks' | 'base' | 'runtimeConfig' | 'defaultInterface'>
