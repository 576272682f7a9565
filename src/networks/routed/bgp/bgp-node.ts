import { AddressError, parseInterfaceAddress } from '../../../base/ip.ts'
import type { NodeResource } from '../../../kube/resources/core.ts'
import type { BGPConfiguration } from '../resources.ts'
import type { Labels } from '../selector.ts'
import { defaultAsNumber, isClusterId, nodeAnnotations, parseAsNumber } from '../virtual-node.ts'

/** What BGP needs to know of a node. */
export interface BgpNode {
  readonly name: string
  readonly labels: Labels
  /** Without prefix length; absent: the node takes no part in IPv4 BGP. */
  readonly ipv4Address: string | undefined
  /** Its own, or the cluster's. */
  readonly asNumber: number
  /** Present: the node is a route reflector and not part of the mesh. */
  readonly routeReflectorClusterId: string | undefined
  readonly listenPort: number
}

/** What holds for all nodes unless they say otherwise. */
export interface BgpDefaults {
  readonly isMeshEnabled: boolean
  readonly asNumber: number
  readonly logSeverity: string
}

export const defaultBgpPort = 179

export function bgpDefaults(configurations: readonly BGPConfiguration[]): BgpDefaults {
  const spec = configurations.find(({ metadata }) => metadata.name === 'default')?.spec
  return {
    isMeshEnabled: spec?.nodeToNodeMeshEnabled ?? true,
    asNumber: spec?.asNumber ?? defaultAsNumber,
    logSeverity: spec?.logSeverityScreen ?? 'Info',
  }
}

/** Annotations that cannot be read are ignored, as Calico does: a typo must not take the node off the network. */
export function bgpNodeOf(core: NodeResource, configurations: readonly BGPConfiguration[]): BgpNode {
  const annotations = core.metadata.annotations ?? {}
  const clusterId = annotations[nodeAnnotations.routeReflectorClusterId]
  return {
    name: core.metadata.name,
    labels: core.metadata.labels ?? {},
    ipv4Address: addressOf(annotations[nodeAnnotations.ipv4Address]),
    asNumber: parseAsNumber(annotations[nodeAnnotations.asNumber]) ?? bgpDefaults(configurations).asNumber,
    routeReflectorClusterId: isClusterId(clusterId) ? clusterId : undefined,
    listenPort: listenPortOf(core.metadata.name, configurations),
  }
}

function listenPortOf(nodeName: string, configurations: readonly BGPConfiguration[]): number {
  const port = (name: string) => configurations.find(({ metadata }) => metadata.name === name)?.spec?.listenPort
  return port(`node.${nodeName}`) ?? port('default') ?? defaultBgpPort
}

function addressOf(annotation: string | undefined): string | undefined {
  if (annotation === undefined) return undefined
  try {
    const { address, family } = parseInterfaceAddress(annotation.includes('/') ? annotation : `${annotation}/32`)
    return family === 4 ? address : undefined
  } catch (error) {
    if (error instanceof AddressError) return undefined
    throw error
  }
}
