import type { Metric } from 'prom-client'
import type { Calm } from '../base/calm.ts'
import type { Lifecycle } from '../base/lifecycle.ts'
import type { Log } from '../base/log.ts'
import type { NetworkConfig, NetworkConfigList } from '../cni/request.ts'
import type { Turn } from '../cni/request-lane.ts'
import type { CniResult } from '../cni/result.ts'
import type { Kernel, Route } from '../kernel/kernel.ts'
import type { Informer, KubeClient } from '../kube/api.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { NodeResource, PodResource } from '../kube/resources/core.ts'
import type { CustomResource, KubeObject } from '../kube/resources/meta.ts'

/**
 * A kind of network. Everything that differs between networks is behind this interface or declared in `capabilities`;
 * nobody outside asks for a network's name.
 *
 * Settings are what holds for the network on every node (address pools, gateway mode …), read once from the process'
 * configuration file. A Config is one CNI configuration of this type, from a file in `net.d` or from a
 * NetworkAttachmentDefinition; there may be many.
 */
export interface NetworkDriver<Settings = unknown, Config = unknown> {
  /** Name of the network in configuration files and on the command line, e.g. `routed`. */
  readonly name: string
  /** Values of `type` in a CNI config that this driver serves, the first is its own. */
  readonly types: readonly string[]
  /**
   * Values of `ipam.type` whose addresses it gives out, also for other plugins: an executable of such a name asks
   * `addresses` of its node side. @default none
   */
  readonly ipamTypes?: readonly string[]
  readonly capabilities: Capabilities
  /** The CRDs it owns: install, lab and console read this list. */
  readonly resources: readonly CustomResource[]
  /** Throws ConfigError naming the field. `undefined` gives the defaults. */
  parseSettings(raw: unknown): Settings
  /** Throws ConfigError naming the field. */
  parseConfig(list: NetworkConfigList): Config
  /** What a configuration tells before there is an attachment. Pure. */
  describeConfig?(config: Config): ConfigFacts
  nodeSide(settings: Settings, deps: NodeDeps): NodeSide<Config>
  clusterSide?(settings: Settings, deps: ClusterDeps): Lifecycle
  /** What an attachment will be, before there is one. Changes nothing. Throws what an ADD throws that can be told now. */
  preview(config: Config, settings: Settings, facts: PreviewFacts): Promise<AttachmentPreview>
  /**
   * What is wrong with an object of one of `resources` beside what its schema says: by itself, beside others of the
   * cluster, and as a change. The webhook refuses it then. Objects of other kinds are never asked about.
   */
  checkResource?(object: KubeObject, facts: ResourceFacts): Promise<ResourceProblem[]>
  /**
   * Annotations, beside network-status, by which users of this network find an attachment of a pod. `result` undefined:
   * those of an attachment that is gone from a pod that stays. Pure.
   */
  podAnnotations?(attachment: AttachmentKey, result: CniResult | undefined): Readonly<Record<string, string>>
}

/** What an object is checked against. */
export interface ResourceFacts {
  readonly kube: Pick<KubeClient, 'list' | 'find'>
  /** The object that it is to replace. */
  readonly before: KubeObject | undefined
}

/** A field that cannot be as it is. */
export interface ResourceProblem {
  /** e.g. `spec.cidr` */
  readonly field: string
  readonly reason: string
}

/** What is known of an attachment before it is made. */
export interface PreviewFacts {
  readonly kube: Pick<KubeClient, 'list' | 'find'>
  readonly ifName: string
  readonly isDefault: boolean
  readonly requested: RequestedAttachment
  readonly pod: PodResource
  /** Where the pod would run. */
  readonly node: NodeResource
}

export interface AttachmentPreview {
  /** As an ADD would answer. An address that is not decided yet is an example: one that the network could give. */
  readonly result: CniResult
  /** Prefixes that an address which is not decided yet will come from; empty: the result's addresses are certain. */
  readonly ranges: readonly string[]
  /** Main-table routes of its interface, where they are not those that follow from the result. */
  readonly installed?: readonly (Pick<Route, 'family' | 'destination'> & {
    readonly device: string
    readonly gateway?: string
    readonly source?: string
    readonly scope?: number
  })[]
  /** Absent when only the ADD decides it. */
  readonly mac?: string | undefined
  readonly mtuBytes?: number | undefined
  /** What cannot be told, one sentence each. */
  readonly notes: readonly string[]
  readonly prefixes?: Partial<ClusterPrefixes> | undefined
}

/** What can be told of a configuration by itself. */
export interface ConfigFacts {
  /** Prefixes that its addresses come from; empty: none are known. */
  readonly subnets: readonly string[]
  /** Every node has a subnet of its own, so a gateway's address is right on one node only. */
  readonly hasSubnetPerNode: boolean
  /** Definitions of one network name that agree in this are of one network, and meant to be. */
  readonly identity?: unknown
  /** Where it says that it is, `<namespace>/<name>` of a definition; it works nowhere else. */
  readonly definition?: string | undefined
}

/** Facts about a network that others need to know. */
export interface Capabilities {
  /** Values of `capabilities` in a CNI config that it can honour: ips, mac, bandwidth, portMappings … */
  readonly runtimeConfig: readonly string[]
  /** Can be a pod's first interface. */
  readonly canBeDefault: boolean
  /**
   * Its attachments and those of others in one pod do not depend on one another, so they may be made and removed side
   * by side. Otherwise an attachment is made when all before it are there, and removed before them.
   */
  readonly isIndependent: boolean
  /** Keys of a plugin configuration that mean something, beside those of the CNI specification. @default any */
  readonly configKeys?: readonly string[]
  /** Needs a pod in the Kubernetes API: other containers cannot be attached. @default false */
  readonly needsPod?: boolean
  /** Every route that it installs in a pod is in its results; otherwise the kernel is asked. */
  readonly reportsRoutes: boolean
  /** CHECK, GC and STATUS are implemented. */
  readonly verbs: readonly ('CHECK' | 'GC' | 'STATUS')[]
}

/** What a network gets to work with on a node. */
export interface NodeDeps {
  readonly nodeName: string
  readonly kube: KubeClient
  readonly kernel: Kernel
  readonly log: Log
  readonly events: EventRecorder
  /** Busy while a runtime waits for an ADD or DEL: work that nobody waits for steps back. */
  readonly calm: Calm
  /** Pods of this node; started by the process. */
  readonly pods: Informer<PodResource>
  /** All nodes; started by the process. */
  readonly nodes: Informer<NodeResource>
  /** Folders and sockets of this host. */
  readonly paths: NodePaths
}

export interface NodePaths {
  /** State that survives a reboot, e.g. /var/lib/twinlane. */
  readonly stateFolder: string
  /** State that does not, e.g. /run/twinlane. */
  readonly runFolder: string
  /** e.g. /run/bird/bird.ctl */
  readonly birdSocket: string
  /** The file that BIRD was started with, e.g. /etc/bird/bird.conf. The routed network writes it. */
  readonly birdConfigFile: string
  /** e.g. /run/openvswitch/db.sock */
  readonly ovsdbSocket: string
  /** The agent's own, for plugins that we execute and that ask us in turn, e.g. /run/twinlane/cni.sock. */
  readonly cniSocket?: string
  /** Where plugin executables are, e.g. [/opt/cni/bin]. */
  readonly cniBinFolders: readonly string[]
}

/** What a network gets to work with in the controller. */
export interface ClusterDeps {
  readonly kube: KubeClient
  readonly log: Log
  readonly events: EventRecorder
  readonly pods: Informer<PodResource>
  readonly nodes: Informer<NodeResource>
}

export interface NodeSide<Config = unknown> extends Lifecycle {
  /**
   * ADD. The same request twice gives the same answer. A failure leaves nothing behind. Default routes of the
   * attachment are reported in the result; whether they stay in the pod's main table is the meta-plugin's decision.
   */
  attach(request: AttachRequest<Config>, signal: AbortSignal): Promise<CniResult>
  /** DEL. Nothing there is success; works with the API server, the pod and the netns gone. */
  detach(ref: AttachmentRef<Config>, signal: AbortSignal): Promise<void>
  /** CHECK: what is wrong with an attachment; empty when all is well. */
  verify(ref: AttachmentRef<Config>, result: CniResult, signal?: AbortSignal): Promise<Problem[]>
  /** GC: everything of this network on this node that belongs to none of these is removed. */
  collectGarbage(valid: readonly AttachmentKey[]): Promise<void>
  /** Takes back everything that this network did on the node, which is then as before. On a side that was not started. */
  remove?(signal: AbortSignal): Promise<void>
  /** Numbers that are counted as things happen, beside `gauges`; registered nowhere. */
  metrics?(): readonly Metric[]
  /** STATUS. */
  status(): NetworkStatus
  /**
   * What is wrong although pods can be attached, one line each, looked up when it is asked for: the node is not ready,
   * and yet STATUS is content.
   */
  impairments?(): Promise<readonly string[]>
  /** Numbers for a scrape, looked up when they are asked for. */
  gauges?(): Promise<readonly NetworkGauge[]>
  /** STATUS of one configuration, where `status` cannot tell without. Throws CniError with code 50 or 51. */
  requireReady?(network: ConfiguredNetwork): Promise<void>
  /** GC of one configuration, where `collectGarbage` cannot tell without: `valid` are the attachments of its name. */
  collectGarbageOf?(network: ConfiguredNetwork, valid: readonly AttachmentKey[], signal: AbortSignal): Promise<void>
  /** Where the driver has `ipamTypes`. */
  readonly addresses?: AddressManagement
  /** What can be done for a pod before its ADD, which then has less to wait for. */
  readonly preparation?: Preparation<Config>
  /** From configuration and informers only: an ADD waits for it. */
  prefixes?(): Partial<ClusterPrefixes>
}

/** One metric of a network, with a value for each set of labels. */
export interface NetworkGauge {
  /** Complete, e.g. `twinlane_bgp_sessions`. */
  readonly name: string
  readonly help: string
  readonly values: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
}

/** Addresses for attachments that another plugin makes: what a CNI plugin for address management does. */
export interface AddressManagement {
  /**
   * ADD: the addresses, without interfaces. The same request twice gives the same answer; a failure leaves nothing
   * taken. Throws ConfigError and CniError.
   */
  allocate(request: AddressRequest, signal: AbortSignal): Promise<CniResult>
  /** DEL: nothing there is success; an API server that is away is not waited for. */
  release(request: AddressRequest): Promise<void>
  /** CHECK: what of the result's addresses does not belong to the attachment. */
  verify(request: AddressRequest, result: CniResult): Promise<Problem[]>
}

/**
 * Work for attachments that are still to come: a pod is bound to its node long before the runtime asks for its network.
 * An ADD works without it, and the same way.
 */
export interface Preparation<Config = unknown> {
  /** A pod of this node will ask for this. Twice is the same as once. Rejects with what an ADD would reject with. */
  prepare(expected: ExpectedAttachment<Config>): Promise<void>
  /** The pod has its network, or will never have it: what was prepared and is not used is taken back. */
  settle(pod: PodRef): Promise<void>
}

/** An attachment of a pod that has no container yet. */
export type ExpectedAttachment<Config = unknown> = Pick<
  AttachRequest<Config>,
  'pod' | 'ifName' | 'config' | 'requested'
>

/** On whose behalf a plugin for address management is called. */
export interface AddressRequest extends AttachmentKey {
  readonly pod: PodRef
  /** The whole configuration of the plugin that makes the attachment; `ipam` is the part that is meant. */
  readonly config: NetworkConfig
  /** CNI_ARGS. */
  readonly args: Readonly<Record<string, string>>
}

/** What of the cluster a network reaches, as prefixes of both families. */
export interface ClusterPrefixes {
  /** Of the network's own pods. */
  readonly pods: readonly string[]
  readonly services: readonly string[]
  /** Single addresses of the nodes. */
  readonly nodes: readonly string[]
}

/** Identifies an attachment for ever (CNI: container ID and interface name). */
export interface AttachmentKey {
  readonly containerId: string
  readonly ifName: string
}

/** A network that is known by its CNI configuration only. */
export interface ConfiguredNetwork {
  readonly configList: NetworkConfigList
  /** Searched for plugins before the node's own folders. */
  readonly binFolder?: string | undefined
}

/** An attachment as DEL, CHECK and the record on disk know it. */
export interface AttachmentRef<Config = unknown> extends AttachmentKey {
  readonly pod: PodRef
  readonly netns: string | undefined
  readonly config: Config
  /** Complete CNI configuration (with runtimeConfig), for drivers that pass it on. */
  readonly configList: NetworkConfigList
  /** Display name: `<namespace>/<NAD name>`, or the network's name for the default network. */
  readonly networkName: string
  /** CNI_ARGS of the runtime. */
  readonly args: Readonly<Record<string, string>>
  /** Searched for plugins before the node's own folders. */
  readonly binFolder?: string | undefined
  /** The result of the ADD, when there was one. */
  readonly prevResult?: CniResult | undefined
}

export interface AttachRequest<Config = unknown> extends AttachmentRef<Config> {
  readonly netns: string
  /** The pod's first interface. */
  readonly isDefault: boolean
  /** The NAD that it came from. */
  readonly nad?: { readonly namespace: string; readonly name: string } | undefined
  /** What the pod's annotation asks of this attachment. */
  readonly requested: RequestedAttachment
  /** To be paused for waits in which nothing is done on this node, so that they hold up no other pod. */
  readonly turn?: Turn
}

export interface RequestedAttachment {
  readonly ips?: readonly string[] | undefined
  readonly mac?: string | undefined
  /** `default-route` of the selection element: absent, or the gateways. */
  readonly defaultRoute?: readonly string[] | undefined
  /** Of those that the kubelet gave the pod, by the resource that the NAD names. */
  readonly device?: AssignedDevice | undefined
}

/** A device of a device plugin that belongs to one attachment. */
export interface AssignedDevice {
  readonly resourceName: string
  readonly id: string
}

/** A pod; or a container that is none, which has no namespace, no UID, and its ID for a name. */
export interface PodRef {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface Problem {
  readonly what: string
  readonly fix?: string
  /** CNI error code, where there is one. */
  readonly code?: number
}

export interface NetworkStatus {
  readonly isReady: boolean
  /** Why not, one line each. */
  readonly problems: readonly string[]
}
