import { AddressError, type Family, type InterfaceAddress, parseInterfaceAddress } from '../../../base/ip.ts'
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
  /** Lengths of the prefixes of its subnets; absent: not known. */
  readonly prefixLengths?: Readonly<Partial<Record<Family, number>>>
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
    addresses: byFamily(annotations, ({ address }) => address),
    prefixLengths: byFamily(annotations, ({ prefixLength }) => prefixLength),
    asNumber: ownAsNumber ?? settings.asNumber,
    hasOwnAsNumber: ownAsNumber !== undefined,
    routeReflectorClusterId: isClusterId(clusterId) ? clusterId : undefined,
    listenPort: settings.listenPort,
  }
}

function byFamily<T>(
  annotations: Readonly<Record<string, string>>,
  read: (address: InterfaceAddress) => T,
): Partial<Record<Family, T>> {
  const four = addressOf(annotations[nodeAnnotations.ipv4Address], 4)
  const six = addressOf(annotations[nodeAnnotations.ipv6Address], 6)
  return { ...(four === undefined ? {} : { 4: read(four) }), ...(six === undefined ? {} : { 6: read(six) }) }
}

function addressOf(annotation: string | undefined, family: Family): InterfaceAddress | undefined {
  if (annotation === undefined) return undefined
  try {
    const text = annotation.includes('/') ? annotation : `${annotation}/${family === 4 ? 32 : 128}`
    const found = parseInterfaceAddress(text)
    return found.family === family ? found : undefined
  } catch (error) {
    if (error instanceof AddressError) return undefined
    throw error
  }
}
