import { AddressError, type Family, parseInterfaceAddress } from '../../../base/ip.ts'
import type { NodeResource } from '../../../kube/resources/core.ts'
import type { BGPConfiguration } from '../resources.ts'
import type { Labels } from '../selector.ts'
import { isClusterId, nodeAnnotations, parseAsNumber } from '../virtual-node.ts'
import { bgpSettings } from './bgp-settings.ts'

/** What BGP needs to know of a node. */
export interface BgpNode {
  readonly name: string
  readonly labels: Labels
  /** Without prefix length; absent: the node takes no part in BGP of that family. */
  readonly addresses: Readonly<Partial<Record<Family, string>>>
  /** Its own, or the cluster's. */
  readonly asNumber: number
  /** The number is its own. */
  readonly hasOwnAsNumber?: boolean
  /** Present: the node is a route reflector and not part of the mesh. */
  readonly routeReflectorClusterId: string | undefined
  readonly listenPort: number
}

/** Annotations that cannot be read are ignored, as Calico does: a typo must not take the node off the network. */
export function bgpNodeOf(core: NodeResource, configurations: readonly BGPConfiguration[]): BgpNode {
  const annotations = core.metadata.annotations ?? {}
  const clusterId = annotations[nodeAnnotations.routeReflectorClusterId]
  const settings = bgpSettings(configurations, core.metadata.name)
  const ownAsNumber = parseAsNumber(annotations[nodeAnnotations.asNumber])
  return {
    name: core.metadata.name,
    labels: core.metadata.labels ?? {},
    addresses: {
      ...addressOf(annotations[nodeAnnotations.ipv4Address], 4),
      ...addressOf(annotations[nodeAnnotations.ipv6Address], 6),
    },
    asNumber: ownAsNumber ?? settings.asNumber,
    hasOwnAsNumber: ownAsNumber !== undefined,
    routeReflectorClusterId: isClusterId(clusterId) ? clusterId : undefined,
    listenPort: settings.listenPort,
  }
}

function addressOf(annotation: string | undefined, family: Family): Partial<Record<Family, string>> {
  if (annotation === undefined) return {}
  try {
    const text = annotation.includes('/') ? annotation : `${annotation}/${family === 4 ? 32 : 128}`
    const { address, family: found } = parseInterfaceAddress(text)
    return found === family ? { [family]: address } : {}
  } catch (error) {
    if (error instanceof AddressError) return {}
    throw error
  }
}
