import type { BGPConfiguration, BGPConfigurationSpec, FailureDetectionMode, SecretKeyRef } from '../resources.ts'
import { defaultAsNumber } from '../virtual-node.ts'

export const defaultBgpPort = 179

/** What the BGPConfigurations say for one node. */
export interface BgpSettings {
  readonly isMeshEnabled: boolean
  /** Of nodes that have none of their own. */
  readonly asNumber: number
  readonly listenPort: number
  readonly logSeverity: string
  /** BGP listens on the node's address only. */
  readonly isBindStrict: boolean
  /** Patterns of interfaces whose networks BGP does not know. */
  readonly ignoredInterfaces: readonly string[]
  readonly mesh: MeshSettings
  readonly prefixAdvertisements: readonly PrefixAdvertisement[]
  /** Prefixes of service addresses that are announced. */
  readonly servicePrefixes: ServicePrefixes
}

/** By the kind of address that a service may have in them. */
export interface ServicePrefixes {
  readonly cluster: readonly string[]
  readonly external: readonly string[]
  readonly loadBalancer: readonly string[]
}

/** What holds for every session of the mesh. */
export interface MeshSettings {
  readonly password?: SecretKeyRef
  readonly maxRestartTime?: string
  readonly failureDetectionMode?: FailureDetectionMode
}

/** Communities, as values, of all routes inside a prefix. */
export interface PrefixAdvertisement {
  readonly cidr: string
  readonly communities: readonly string[]
}

/**
 * `node.<name>` over `default` for the port, the log, the interfaces and the prefixes; the rest is the cluster's and
 * taken from `default` alone (as Calico does).
 */
export function bgpSettings(configurations: readonly BGPConfiguration[], nodeName: string): BgpSettings {
  const spec = (name: string) => configurations.find(({ metadata }) => metadata.name === name)?.spec
  const cluster = spec('default') ?? {}
  const node = spec(`node.${nodeName}`) ?? {}
  return {
    isMeshEnabled: cluster.nodeToNodeMeshEnabled ?? true,
    asNumber: cluster.asNumber ?? defaultAsNumber,
    listenPort: node.listenPort ?? cluster.listenPort ?? defaultBgpPort,
    logSeverity: node.logSeverityScreen ?? cluster.logSeverityScreen ?? 'Info',
    isBindStrict: (node.bindMode ?? cluster.bindMode) === 'NodeIP',
    ignoredInterfaces: node.ignoredInterfaces ?? cluster.ignoredInterfaces ?? [],
    mesh: meshSettings(cluster),
    prefixAdvertisements: resolveAdvertisements(cluster, node),
    servicePrefixes: servicePrefixes(cluster),
  }
}

function meshSettings(cluster: BGPConfigurationSpec): MeshSettings {
  const { nodeMeshPassword, nodeMeshMaxRestartTime, nodeMeshFailureDetectionMode } = cluster
  return {
    ...(nodeMeshPassword?.secretKeyRef === undefined ? {} : { password: nodeMeshPassword.secretKeyRef }),
    ...(nodeMeshMaxRestartTime === undefined ? {} : { maxRestartTime: nodeMeshMaxRestartTime }),
    ...(nodeMeshFailureDetectionMode === undefined ? {} : { failureDetectionMode: nodeMeshFailureDetectionMode }),
  }
}

/** Names of communities become their values; a text that is no name is a value itself. */
function resolveAdvertisements(cluster: BGPConfigurationSpec, node: BGPConfigurationSpec): PrefixAdvertisement[] {
  const values = new Map(
    [...(cluster.communities ?? []), ...(node.communities ?? [])].map((each) => [each.name, each.value]),
  )
  return (node.prefixAdvertisements ?? cluster.prefixAdvertisements ?? []).map(({ cidr, communities }) => ({
    cidr,
    communities: communities.map((community) => values.get(community) ?? community),
  }))
}

function servicePrefixes(cluster: BGPConfigurationSpec): ServicePrefixes {
  const cidrs = (list: { cidr: string }[] = []): string[] => list.map(({ cidr }) => cidr)
  return {
    cluster: cidrs(cluster.serviceClusterIPs),
    external: cidrs(cluster.serviceExternalIPs),
    loadBalancer: cidrs(cluster.serviceLoadBalancerIPs),
  }
}
