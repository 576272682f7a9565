import { createHash } from 'node:crypto'
import { familyOf, isAddress, parseInterfaceAddress } from '../../../base/ip.ts'
import type { NodeResource } from '../../../kube/resources/core.ts'
import { nodeAnnotations } from '../virtual-node.ts'

/** What other nodes need to know to send to a node's pods. */
export interface TunnelNode {
  readonly name: string
  /** IPv4, of the interface that carries the pods' traffic. */
  readonly address: string
  readonly prefixLength: number
  /** Its end of VXLAN; absent until it is ready to receive. */
  readonly vxlan?: { readonly address: string; readonly mac: string }
  /** Its address on IP-in-IP; absent until it is ready to receive. */
  readonly ipip?: string
}

const macForm = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i

/** undefined for a node without an IPv4 address; annotations that cannot be read are ignored, as Calico does. */
export function tunnelNodeOf({ metadata }: NodeResource): TunnelNode | undefined {
  const annotations = metadata.annotations ?? {}
  const own = readAddress(annotations[nodeAnnotations.ipv4Address])
  if (own === undefined) return undefined
  const address = ipv4(annotations[nodeAnnotations.vxlanTunnelAddress])
  const ipip = ipv4(annotations[nodeAnnotations.ipipTunnelAddress])
  const mac = annotations[nodeAnnotations.vxlanTunnelMac] ?? vxlanMac(metadata.name)
  return {
    name: metadata.name,
    ...own,
    ...(address !== undefined && macForm.test(mac) ? { vxlan: { address, mac: mac.toLowerCase() } } : {}),
    ...(ipip === undefined ? {} : { ipip }),
  }
}

/** The MAC address of a node's VXLAN device: always the same, so that no neighbour's entry ever becomes stale (as Calico's). */
export function vxlanMac(nodeName: string): string {
  const digest = createHash('sha1').update(nodeName).digest()
  return [0x66, ...digest.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

function ipv4(text: string | undefined): string | undefined {
  return text !== undefined && isAddress(text) && familyOf(text) === 4 ? text : undefined
}

function readAddress(text: string | undefined): { address: string; prefixLength: number } | undefined {
  try {
    const { family, address, prefixLength } = parseInterfaceAddress(text?.includes('/') ? text : `${text}/32`)
    return family === 4 ? { address, prefixLength } : undefined
  } catch {
    return undefined
  }
}
