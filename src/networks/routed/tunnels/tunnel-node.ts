import { createHash } from 'node:crypto'
import { type Family, familyOf, isAddress, parseInterfaceAddress } from '../../../base/ip.ts'
import type { NodeResource } from '../../../kube/resources/core.ts'
import { nodeAnnotations } from '../virtual-node.ts'
import { type Encapsulation, encapsulations, tunnelFamilies } from './encapsulation.ts'

/** What other nodes need to know to send to a node's pods. */
export interface TunnelNode {
  readonly name: string
  /** Of the interface that carries the pods' traffic; absent for a family that the node does not have. */
  readonly underlays: Readonly<Partial<Record<Family, Underlay>>>
  /** Its ends of tunnels; absent until one is ready to receive. */
  readonly ends: Readonly<Partial<Record<Encapsulation, NodeEnd>>>
}

export interface Underlay {
  readonly address: string
  readonly prefixLength: number
}

/** The address that packets of the node itself have in the tunnel, and for VXLAN the MAC address of its device. */
export interface NodeEnd {
  readonly address: string
  readonly mac?: string
}

/** Where a Node says which ends it has (as Calico's). */
export const endAnnotations: Readonly<Record<Encapsulation, { address: string; mac?: string }>> = {
  vxlan: { address: nodeAnnotations.vxlanTunnelAddress, mac: nodeAnnotations.vxlanTunnelMac },
  vxlan6: { address: nodeAnnotations.vxlanTunnelAddress6, mac: nodeAnnotations.vxlanTunnelMac6 },
  ipip: { address: nodeAnnotations.ipipTunnelAddress },
}

const macForm = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i

/** undefined for a node without any address; annotations that cannot be read are ignored, as Calico does. */
export function tunnelNodeOf({ metadata }: NodeResource): TunnelNode | undefined {
  const annotations = metadata.annotations ?? {}
  const ipv4 = readUnderlay(annotations[nodeAnnotations.ipv4Address], 4)
  const ipv6 = readUnderlay(annotations[nodeAnnotations.ipv6Address], 6)
  if (ipv4 === undefined && ipv6 === undefined) return undefined
  const ends = encapsulations.flatMap((kind) => {
    const end = readEnd(metadata.name, annotations, kind)
    return end === undefined ? [] : [[kind, end] as const]
  })
  return {
    name: metadata.name,
    underlays: { ...(ipv4 === undefined ? {} : { 4: ipv4 }), ...(ipv6 === undefined ? {} : { 6: ipv6 }) },
    ends: Object.fromEntries(ends),
  }
}

/**
 * The MAC address of a node's VXLAN device: always the same, so that no neighbour's entry ever becomes stale (as
 * Calico's).
 */
export function vxlanMac(nodeName: string, family: Family = 4): string {
  const digest = createHash('sha1')
    .update(family === 4 ? nodeName : `${nodeName}-v6`)
    .digest()
  return [0x66, ...digest.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

function readEnd(
  nodeName: string,
  annotations: Readonly<Record<string, string>>,
  kind: Encapsulation,
): NodeEnd | undefined {
  const names = endAnnotations[kind]
  const address = annotations[names.address]
  if (address === undefined || !isAddress(address) || familyOf(address) !== tunnelFamilies[kind]) return undefined
  if (names.mac === undefined) return { address }
  const mac = annotations[names.mac] ?? vxlanMac(nodeName, tunnelFamilies[kind])
  return macForm.test(mac) ? { address, mac: mac.toLowerCase() } : undefined
}

function readUnderlay(text: string | undefined, wanted: Family): Underlay | undefined {
  try {
    const alone = wanted === 4 ? 32 : 128
    const { family, address, prefixLength } = parseInterfaceAddress(text?.includes('/') ? text : `${text}/${alone}`)
    return family === wanted ? { address, prefixLength } : undefined
  } catch {
    return undefined
  }
}
