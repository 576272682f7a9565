import { createHash } from 'node:crypto'
import { broadcastOf, cidrOf, familyOf, formatCidr, parseCidr, parseInterfaceAddress } from '../../../base/ip.ts'
import type { CniResult, CniRoute } from '../../../cni/result.ts'
import type { Operation } from '../../../kernel/kernel.ts'
import type { AttachmentKey } from '../../driver.ts'
import type { PodNetwork } from '../annotations.ts'
import type { OvnConfig } from '../config.ts'
import { secondaryPodPort } from '../secondary/names.ts'
import { nodeSubnet, podPort } from '../topology/names.ts'
import { aliasPrefix } from './numbers.ts'

/** Everything about one attachment that follows from its request and the pod's annotation. */
export interface PodInterface {
  readonly hostName: string
  readonly ifName: string
  readonly netns: string
  readonly alias: string
  readonly mac: string
  readonly mtuBytes: number
  /** Name of its port in OVN. */
  readonly logicalPort: string
  /** One a family; none on a network without addresses. */
  readonly addresses: readonly PodAddress[]
  readonly routes: readonly CniRoute[]
}

export interface PodAddress {
  /** e.g. `10.144.0.31/24` */
  readonly address: string
  /** The router of its subnet. */
  readonly gateway?: string | undefined
}

/** As upstream for the cluster network: the first 15 characters of the container ID, which no other attachment uses. */
export function hostInterfaceName({ containerId }: { containerId: string }): string {
  return containerId.slice(0, 15)
}

/** For a secondary network: a pod may have several, so what tells them apart follows the container ID. */
export function secondaryHostName({ containerId, ifName }: AttachmentKey): string {
  const isShort = ifName.length <= 5
  const suffix = isShort ? ifName : createHash('sha256').update(ifName).digest('hex').slice(0, 5)
  return `${containerId.slice(0, 14 - suffix.length)}_${suffix}`
}

export function aliasOf({ containerId, ifName }: AttachmentKey): string {
  return `${aliasPrefix}${containerId}/${ifName}`
}

export function describeInterface(
  request: AttachmentKey & {
    netns: string
    isDefault: boolean
    pod: { namespace: string; name: string }
    config: Pick<OvnConfig, 'networkKey' | 'secondary'>
  },
  network: PodNetwork,
  mtuBytes: number,
): PodInterface {
  const isSecondary = request.config.secondary !== undefined
  return {
    hostName: isSecondary ? secondaryHostName(request) : hostInterfaceName(request),
    ifName: request.ifName,
    netns: request.netns,
    alias: aliasOf(request),
    mac: network.mac_address,
    mtuBytes,
    logicalPort: logicalPortOf(request),
    addresses: network.ip_addresses.map((address) => ({ address, gateway: gatewayFor(address, network, isSecondary) })),
    routes: routesOf(network, request.isDefault),
  }
}

/** Name of the attachment's port in OVN. */
export function logicalPortOf({
  pod: { namespace, name },
  config: { networkKey, secondary },
}: {
  pod: { namespace: string; name: string }
  config: Pick<OvnConfig, 'networkKey' | 'secondary'>
}): string {
  return secondary === undefined ? podPort(namespace, name) : secondaryPodPort(networkKey, namespace, name)
}

/** Of the cluster network always the node's router; of a secondary one what the annotation says, if anything. */
function gatewayFor(address: string, network: PodNetwork, isSecondary: boolean): string | undefined {
  const { address: ip, prefixLength, family } = parseInterfaceAddress(address)
  if (!isSecondary) return nodeSubnet(formatCidr(cidrOf(ip, prefixLength))).gateway
  const known = [...(network.gateway_ips ?? []), ...(network.routes ?? []).map(({ nextHop }) => nextHop)]
  return known.find((gateway) => familyOf(gateway) === family)
}

/** On the host: the pair, with its other end in the pod. */
export function hostOperations(pod: PodInterface): Operation[] {
  return [
    {
      op: 'ensureVeth',
      name: pod.hostName,
      peer: { name: pod.ifName, netns: pod.netns, mac: pod.mac, mtuBytes: pod.mtuBytes },
      mtuBytes: pod.mtuBytes,
      isUp: true,
      alias: pod.alias,
    },
  ]
}

/** In the pod. Checksums are computed at once where the userspace datapath would pass on the unfinished ones. */
export function podOperations(pod: PodInterface, options: { isUserspace: boolean }): Operation[] {
  const device = pod.ifName
  return [
    ...ipv6Operations(pod),
    ...(options.isUserspace ? [{ op: 'checksumOffload', device, isOn: false } as const] : []),
    ...pod.addresses.map(({ address }) => addressOperation(device, address)),
    { op: 'setLink', name: device, isUp: true },
    ...pod.routes.map(({ dst, gw }): Operation => {
      return { op: 'ensureRoute', route: { family: parseCidr(dst).family, destination: dst, gateway: gw, device } }
    }),
  ]
}

/**
 * Where the network has IPv4 addresses only, a link-local address would only send what port security drops. Where it
 * has IPv6 ones, they are what OVN says and no router may add to them. Where it has none, the pod may do as it likes.
 */
function ipv6Operations({ ifName, addresses }: PodInterface): Operation[] {
  if (addresses.length === 0) return []
  const set = (key: string, value: string): Operation => {
    return { op: 'sysctl', key: `net/ipv6/conf/${ifName}/${key}`, value, optional: true }
  }
  const hasIpv6 = addresses.some(({ address }) => parseInterfaceAddress(address).family === 6)
  return hasIpv6 ? [set('disable_ipv6', '0'), set('accept_ra', '0')] : [set('disable_ipv6', '1')]
}

function addressOperation(device: string, address: string): Operation {
  const { address: ip, prefixLength } = parseInterfaceAddress(address)
  const broadcast = broadcastOf(cidrOf(ip, prefixLength))
  return { op: 'ensureAddress', device, address, ...(broadcast === undefined ? {} : { broadcast }) }
}

export function resultOf(pod: PodInterface): CniResult {
  return {
    interfaces: [
      { name: pod.hostName, mtu: pod.mtuBytes },
      { name: pod.ifName, mac: pod.mac, mtu: pod.mtuBytes, sandbox: pod.netns },
    ],
    ips: pod.addresses.map(({ address, gateway }) => {
      return { address, ...(gateway === undefined ? {} : { gateway }), interface: 1 }
    }),
    routes: pod.routes,
    dns: {},
  }
}

/** A default route only as the pod's first interface: elsewhere it would fight with the first one's. */
function routesOf(network: PodNetwork, isDefault: boolean): CniRoute[] {
  const defaults = isDefault ? (network.gateway_ips ?? []).map((gw) => ({ dst: defaultOf(gw), gw })) : []
  return [...defaults, ...(network.routes ?? []).map(({ dest, nextHop }) => ({ dst: dest, gw: nextHop }))]
}

function defaultOf(gateway: string): string {
  return familyOf(gateway) === 4 ? '0.0.0.0/0' : '::/0'
}
