import { ConfigError } from '../../base/errors.ts'
import { parseInterfaceAddress } from '../../base/ip.ts'
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

/** The node's subnet of the cluster network; undefined when there is none. A bare text is the older form. */
export function findNodeSubnet(node: KubeObject): string | undefined {
  const value = findJson(node, nodeAnnotation.subnets) as { default?: string | string[] } | undefined
  const subnets = value?.default
  return Array.isArray(subnets) ? subnets[0] : subnets
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
  const address = (gateway?.['ip-addresses'] as string[] | undefined)?.[0]
  const nextHop = (gateway?.['next-hops'] as string[] | undefined)?.[0]
  if (gateway === undefined || gateway.mode === '' || address === undefined || nextHop === undefined) return undefined
  return {
    bridge: String(gateway['bridge-id']),
    interfaceId: String(gateway['interface-id']),
    mac: String(gateway['mac-address']),
    vlanId: String(gateway['vlan-id'] ?? '0'),
    address,
    nextHop,
  }
}

/** The text of k8s.ovn.org/l3-gateway-config. `undefined` says that the node has no gateway. */
export function renderGateway(gateway: GatewayFacts | undefined, mode: 'local' | 'shared' = 'local'): string {
  if (gateway === undefined) return JSON.stringify({ default: { mode: '' } })
  return JSON.stringify({
    default: {
      mode,
      'bridge-id': gateway.bridge,
      'interface-id': gateway.interfaceId,
      'mac-address': gateway.mac,
      'ip-addresses': [gateway.address],
      'ip-address': gateway.address,
      'next-hops': [gateway.nextHop],
      'next-hop': gateway.nextHop,
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

/** One network of the pod's annotation, checked; undefined when it is not there. Throws ConfigError. */
export function findPodNetwork(pod: KubeObject, key: string): PodNetwork | undefined {
  const network = parsePodNetworks(pod)[key]
  if (network === undefined) return undefined
  const [first] = network.ip_addresses ?? []
  if (first === undefined || network.mac_address === undefined) {
    throw new ConfigError(`${podNetworksAnnotation} ["${key}"]`, 'has no address or no MAC')
  }
  parseInterfaceAddress(first)
  return network
}

/** Whether a pod has the address and the MAC that it asks for; what it does not ask for may be any. */
export function isAsAsked(
  has: { readonly address: string; readonly mac: string },
  asked: { readonly ips?: readonly string[] | undefined; readonly mac?: string | undefined },
): boolean {
  const [wanted] = asked.ips ?? []
  const isAddress = wanted === undefined || bareAddress(wanted) === bareAddress(has.address)
  return isAddress && (asked.mac === undefined || asked.mac.toLowerCase() === has.mac.toLowerCase())
}

/** `10.144.0.5` of `10.144.0.5/24`. */
export function bareAddress(address: string): string {
  return address.split('/')[0] ?? address
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
