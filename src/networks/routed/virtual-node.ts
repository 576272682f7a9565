import { ConfigError } from '../../base/errors.ts'
import { AddressError, parseInterfaceAddress } from '../../base/ip.ts'
import type { Patch } from '../../kube/api.ts'
import type { NodeResource } from '../../kube/resources/core.ts'
import type { KubeObject } from '../../kube/resources/meta.ts'

/**
 * Calico's Node of projectcalico.org/v3. It is not stored: its spec lives in annotations of the core Node
 * (as Calico does), so kubectl and calicoctl always see the same thing.
 */
export interface VirtualNode extends KubeObject {
  spec?: VirtualNodeSpec
  status?: { podCIDRs?: string[] }
}

export interface VirtualNodeSpec {
  addresses?: { address: string; type?: string }[]
  bgp?: {
    asNumber?: number
    /** With prefix length, e.g. 192.168.100.10/24. */
    ipv4Address?: string
    ipv6Address?: string
    routeReflectorClusterID?: string
    /** Written by the node's agent, as are the other addresses of tunnels; ignored when applied. */
    ipv4IPIPTunnelAddr?: string
  }
  ipv4VXLANTunnelAddr?: string
  vxlanTunnelMACAddr?: string
  ipv6VXLANTunnelAddr?: string
  vxlanTunnelMACAddrV6?: string
  orchRefs?: { nodeName?: string; orchestrator: string }[]
}

/** A Node that was applied cannot be stored. */
export class VirtualNodeError extends ConfigError {}

export const nodeAnnotations = {
  ipv4Address: 'projectcalico.org/IPv4Address',
  ipv6Address: 'projectcalico.org/IPv6Address',
  asNumber: 'projectcalico.org/ASNumber',
  routeReflectorClusterId: 'projectcalico.org/RouteReflectorClusterID',
  vxlanTunnelAddress: 'projectcalico.org/IPv4VXLANTunnelAddr',
  vxlanTunnelMac: 'projectcalico.org/VXLANTunnelMACAddr',
  vxlanTunnelAddress6: 'projectcalico.org/IPv6VXLANTunnelAddr',
  vxlanTunnelMac6: 'projectcalico.org/VXLANTunnelMACAddrV6',
  ipipTunnelAddress: 'projectcalico.org/IPv4IPIPTunnelAddr',
  /** Labels of the core Node as JSON, as calicoctl shows them. Written by nobody, ignored when applied. */
  kubeLabels: 'projectcalico.org/kube-labels',
} as const

/** The default of BGPConfiguration `default`. */
export const defaultAsNumber = 64_512

/** The core Node as Calico shows it. `asNumber` appears only if the node has its own. */
export function toVirtualNode(core: NodeResource): VirtualNode {
  const { name, uid, resourceVersion, creationTimestamp, labels } = core.metadata
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: {
      name,
      annotations: { [nodeAnnotations.kubeLabels]: JSON.stringify(sortedByKey(labels ?? {})) },
      ...(labels === undefined ? {} : { labels }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(uid === undefined ? {} : { uid }),
    },
    spec: specOf(core),
    status: podCidrsOf(core),
  }
}

/**
 * What to write to the core Node so that it says what the applied Node says: annotations, and labels that differ.
 * A field that is absent is removed. Throws VirtualNodeError.
 */
export function virtualNodePatch(node: VirtualNode): Patch & { type: 'merge' } {
  const bgp = node.spec?.bgp
  const annotations = {
    [nodeAnnotations.ipv4Address]: checkedAddress('spec.bgp.ipv4Address', bgp?.ipv4Address, 4),
    [nodeAnnotations.ipv6Address]: checkedAddress('spec.bgp.ipv6Address', bgp?.ipv6Address, 6),
    [nodeAnnotations.asNumber]: checkedAsNumber(bgp?.asNumber),
    [nodeAnnotations.routeReflectorClusterId]: checkedClusterId(bgp?.routeReflectorClusterID),
  }
  const labels = node.metadata.labels
  return { type: 'merge', body: { metadata: { annotations, ...(labels === undefined ? {} : { labels }) } } }
}

/** AS number as calicoctl's wide table shows it: in parentheses when it is the cluster's. */
export function shownAsNumber(node: VirtualNode, clusterAsNumber: number = defaultAsNumber): string {
  return node.spec?.bgp?.asNumber === undefined ? `(${clusterAsNumber})` : String(node.spec.bgp.asNumber)
}

/** `1.2` form is accepted as RFC 5396 asdot; undefined for what is no AS number. */
export function parseAsNumber(text: string | undefined): number | undefined {
  const match = /^(?:(\d{1,5})\.)?(\d{1,10})$/.exec(text ?? '')
  if (match === null) return undefined
  const high = match[1] === undefined ? 0 : Number(match[1])
  const low = Number(match[2])
  const value = match[1] === undefined ? low : high * 65_536 + low
  const fits = match[1] === undefined ? value <= 4_294_967_295 : high <= 65_535 && low <= 65_535
  return fits ? value : undefined
}

const dottedQuad = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/

/** A cluster ID is an IPv4 address in form, not in meaning. */
export function isClusterId(text: string | undefined): text is string {
  return dottedQuad.test(text ?? '')
}

function specOf(core: NodeResource): VirtualNodeSpec {
  const annotations = core.metadata.annotations ?? {}
  const ipv4Address = annotations[nodeAnnotations.ipv4Address]
  const ipv6Address = annotations[nodeAnnotations.ipv6Address]
  const asNumber = parseAsNumber(annotations[nodeAnnotations.asNumber])
  const routeReflectorClusterID = annotations[nodeAnnotations.routeReflectorClusterId]
  const bgp = {
    ...(asNumber === undefined ? {} : { asNumber }),
    ...(ipv4Address === undefined ? {} : { ipv4Address }),
    ...(ipv6Address === undefined ? {} : { ipv6Address }),
    ...(routeReflectorClusterID === undefined ? {} : { routeReflectorClusterID }),
    ...field('ipv4IPIPTunnelAddr', annotations[nodeAnnotations.ipipTunnelAddress]),
  }
  return {
    addresses: addressesOf(core),
    ...(Object.keys(bgp).length === 0 ? {} : { bgp }),
    ...field('ipv4VXLANTunnelAddr', annotations[nodeAnnotations.vxlanTunnelAddress]),
    ...field('vxlanTunnelMACAddr', annotations[nodeAnnotations.vxlanTunnelMac]),
    ...field('ipv6VXLANTunnelAddr', annotations[nodeAnnotations.vxlanTunnelAddress6]),
    ...field('vxlanTunnelMACAddrV6', annotations[nodeAnnotations.vxlanTunnelMac6]),
    orchRefs: [{ nodeName: core.metadata.name, orchestrator: 'k8s' }],
  }
}

function field<Name extends string>(name: Name, value: string | undefined): { [Key in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]: string })
}

function addressesOf(core: NodeResource): { address: string; type: string }[] {
  const annotations = core.metadata.annotations ?? {}
  const own = [annotations[nodeAnnotations.ipv4Address], annotations[nodeAnnotations.ipv6Address]]
    .filter((address) => address !== undefined)
    .map((address) => ({ address, type: 'CalicoNodeIP' }))
  const reported = (core.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP')
    .map(({ address, type }) => ({ address, type }))
  return [...own, ...reported]
}

function podCidrsOf(core: NodeResource): { podCIDRs?: string[] } {
  const podCIDRs = core.spec?.podCIDRs
  return podCIDRs === undefined || podCIDRs.length === 0 ? {} : { podCIDRs: [...podCIDRs] }
}

function checkedAddress(field: string, value: string | undefined, family: 4 | 6): string | null {
  if (value === undefined || value === '') return null
  try {
    const text = value.includes('/') ? value : `${value}/${family === 4 ? 32 : 128}`
    if (parseInterfaceAddress(text).family === family) return text
    throw new VirtualNodeError(field, `"${value}" is not an IPv${family} address`)
  } catch (error) {
    if (error instanceof AddressError) throw new VirtualNodeError(field, error.message, { cause: error })
    throw error
  }
}

function checkedAsNumber(value: number | string | undefined): string | null {
  if (value === undefined) return null
  const number = parseAsNumber(String(value))
  if (number !== undefined) return String(number)
  throw new VirtualNodeError('spec.bgp.asNumber', `"${value}" is not an AS number (0 to 4294967295)`)
}

function checkedClusterId(value: string | undefined): string | null {
  if (value === undefined || value === '') return null
  if (isClusterId(value)) return value
  throw new VirtualNodeError('spec.bgp.routeReflectorClusterID', `"${value}" is not of the form 192.0.2.1`)
}

function sortedByKey(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
}
