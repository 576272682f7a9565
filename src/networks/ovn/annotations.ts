import { ConfigError } from '../../base/errors.ts'
import { familyOf, isAddress, parseAddress, parseInterfaceAddress } from '../../base/ip.ts'
import type { KubeObject } from '../../kube/resources/meta.ts'
import type { GatewayFacts } from './topology/node.ts'

/** Annotations of OVN-Kubernetes. All values are JSON text. */
export const nodeAnnotation = {
  subnets: 'k8s.ovn.org/node-subnets',
  id: 'k8s.ovn.org/node-id',
  joinAddresses: 'k8s.ovn.org/node-gateway-router-lrp-ifaddrs',
  chassisId: 'k8s.ovn.org/node-chassis-id',
  gateway: 'k8s.ovn.org/l3-gateway-config',
  managementMacs: 'k8s.ovn.org/node-mgmt-port-mac-addresses',
  primaryAddress: 'k8s.ovn.org/node-primary-ifaddr',
  hostCidrs: 'k8s.ovn.org/host-cidrs',
} as const

export const podNetworksAnnotation = 'k8s.ovn.org/pod-networks'

/** A pod's part of one network in the annotation k8s.ovn.org/pod-networks. */
export interface PodNetwork {
  readonly ip_addresses: readonly string[]
  readonly mac_address: string
  /** Only when OVN owns the pod's default route. */
  readonly gateway_ips?: readonly string[]
  readonly routes?: readonly { readonly dest: string; readonly nextHop: string }[]
  /** Only when there is exactly one. */
  readonly ip_address?: string
  readonly gateway_ip?: string
  readonly role?: string
}

/** What the annotation says of every network. */
export function parseNodeSubnets(node: KubeObject): Readonly<Record<string, unknown>> {
  const value = findJson(node, nodeAnnotation.subnets)
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

/** The node's parts of a network, one a family; empty when there are none. A bare text is the older form. */
export function findNodeSubnets(node: KubeObject, network: string): readonly string[] {
  const subnets = parseNodeSubnets(node)[network]
  return Array.isArray(subnets) ? (subnets as string[]) : typeof subnets === 'string' ? [subnets] : []
}

export function findNodeNumber(node: KubeObject): number | undefined {
  const text = node.metadata.annotations?.[nodeAnnotation.id]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

export function findChassisId(node: KubeObject): string | undefined {
  return node.metadata.annotations?.[nodeAnnotation.chassisId]
}

/** Undefined when the node has no gateway (`{"mode":""}`) or has not said so yet. */
export function findGateway(node: KubeObject): GatewayFacts | undefined {
  const value = findJson(node, nodeAnnotation.gateway) as { default?: Record<string, unknown> } | undefined
  const gateway = value?.default
  const addresses = (gateway?.['ip-addresses'] ?? []) as string[]
  const nextHops = (gateway?.['next-hops'] ?? []) as string[]
  if (gateway === undefined || gateway.mode === '' || addresses.length === 0 || nextHops.length === 0) return undefined
  return {
    bridge: String(gateway['bridge-id']),
    interfaceId: String(gateway['interface-id']),
    mac: String(gateway['mac-address']),
    vlanId: String(gateway['vlan-id'] ?? '0'),
    addresses,
    nextHops,
  }
}

/** The text of k8s.ovn.org/l3-gateway-config. `undefined` says that the node has no gateway. */
export function renderGateway(gateway: GatewayFacts | undefined, mode: 'local' | 'shared' = 'local'): string {
  if (gateway === undefined) return JSON.stringify({ default: { mode: '' } })
  const { addresses, nextHops } = gateway
  return JSON.stringify({
    default: {
      mode,
      'bridge-id': gateway.bridge,
      'interface-id': gateway.interfaceId,
      'mac-address': gateway.mac,
      'ip-addresses': addresses,
      ...(addresses.length === 1 ? { 'ip-address': addresses[0] } : {}),
      'next-hops': nextHops,
      ...(nextHops.length === 1 ? { 'next-hop': nextHops[0] } : {}),
      'node-port-enable': 'true',
      'vlan-id': gateway.vlanId,
    },
  })
}

/** All networks of the pod's annotation; empty when there is none. Throws ConfigError when it is not JSON. */
export function parsePodNetworks(pod: KubeObject): Readonly<Record<string, PodNetwork>> {
  const text = pod.metadata.annotations?.[podNetworksAnnotation]
  if (text === undefined) return {}
  try {
    return JSON.parse(text) as Record<string, PodNetwork>
  } catch (cause) {
    throw new ConfigError(podNetworksAnnotation, 'is not JSON', { cause, fix: 'remove the annotation' })
  }
}

/**
 * One network of the pod's annotation, checked; undefined when it is not there. Only a secondary network may give out
 * no addresses. Throws ConfigError.
 */
export function findPodNetwork(pod: KubeObject, key: string): PodNetwork | undefined {
  const network = parsePodNetworks(pod)[key]
  if (network === undefined) return undefined
  const addresses = network.ip_addresses ?? []
  if ((addresses.length === 0 && key === 'default') || network.mac_address === undefined) {
    throw new ConfigError(`${podNetworksAnnotation} ["${key}"]`, 'has no address or no MAC')
  }
  for (const address of addresses) parseInterfaceAddress(address)
  return { ...network, ip_addresses: addresses }
}

/** Whether a pod has the addresses and the MAC that it asks for; a family that the network does not have is no wish. */
export function isAsAsked(
  has: { readonly addresses: readonly string[]; readonly mac: string },
  asked: { readonly ips?: readonly string[] | undefined; readonly mac?: string | undefined },
): boolean {
  if (asked.mac !== undefined && asked.mac.toLowerCase() !== has.mac.toLowerCase()) return false
  const own = has.addresses.map(bareAddress)
  const wanted = (asked.ips ?? []).map(bareAddress)
  if (own.length === 0) return wanted.length === 0
  return wanted.every((address) => {
    const ofFamily = own.filter((each) => familyOf(each) === familyOf(address))
    return ofFamily.length === 0 || ofFamily.includes(address)
  })
}

/** `10.144.0.5` of `10.144.0.5/24`, canonical. */
export function bareAddress(address: string): string {
  const text = address.split('/')[0] ?? address
  return isAddress(text) ? parseAddress(text).address : text
}

function findJson(object: KubeObject, key: string): unknown {
  const text = object.metadata.annotations?.[key]
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    // The older form of node-subnets, and whatever a person may have written: as if it were not there.
    return key === nodeAnnotation.subnets ? { default: text } : undefined
  }
}
