import { broadcastOf, cidrOf, formatCidr, parseInterfaceAddress } from '../../../base/ip.ts'
import type { CniResult, CniRoute } from '../../../cni/result.ts'
import type { Operation } from '../../../kernel/kernel.ts'
import type { AttachmentKey } from '../../driver.ts'
import type { PodNetwork } from '../annotations.ts'
import { nodeSubnet } from '../topology/names.ts'
import { aliasPrefix } from './numbers.ts'

/** Everything about one attachment that follows from its request and the pod's annotation. */
export interface PodInterface {
  readonly hostName: string
  readonly ifName: string
  readonly netns: string
  readonly alias: string
  readonly mac: string
  readonly mtuBytes: number
  /** e.g. `10.144.0.31/24` */
  readonly address: string
  /** The router of the node's subnet. */
  readonly gateway: string
  readonly routes: readonly CniRoute[]
}

/** As upstream: the first 15 characters of the container ID, which no other attachment of the pod uses. */
export function hostInterfaceName({ containerId }: { containerId: string }): string {
  return containerId.slice(0, 15)
}

export function aliasOf({ containerId, ifName }: AttachmentKey): string {
  return `${aliasPrefix}${containerId}/${ifName}`
}

export function describeInterface(
  request: AttachmentKey & { netns: string; isDefault: boolean },
  network: PodNetwork,
  mtuBytes: number,
): PodInterface {
  const address = network.ip_addresses[0] ?? ''
  const { address: ip, prefixLength } = parseInterfaceAddress(address)
  const { gateway } = nodeSubnet(formatCidr(cidrOf(ip, prefixLength)))
  return {
    hostName: hostInterfaceName(request),
    ifName: request.ifName,
    netns: request.netns,
    alias: aliasOf(request),
    mac: network.mac_address,
    mtuBytes,
    address,
    gateway,
    routes: routesOf(network, request.isDefault),
  }
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
  const { address, prefixLength } = parseInterfaceAddress(pod.address)
  const broadcast = broadcastOf(cidrOf(address, prefixLength))
  const device = pod.ifName
  return [
    // The network is IPv4: a link-local address would only send what port security drops.
    { op: 'sysctl', key: `net/ipv6/conf/${device}/disable_ipv6`, value: '1', optional: true },
    ...(options.isUserspace ? [{ op: 'checksumOffload', device, isOn: false } as const] : []),
    { op: 'ensureAddress', device, address: pod.address, ...(broadcast === undefined ? {} : { broadcast }) },
    { op: 'setLink', name: device, isUp: true },
    ...pod.routes.map(({ dst, gw }): Operation => {
      return { op: 'ensureRoute', route: { family: 4, destination: dst, gateway: gw, device } }
    }),
  ]
}

export function resultOf(pod: PodInterface): CniResult {
  return {
    interfaces: [
      { name: pod.hostName, mtu: pod.mtuBytes },
      { name: pod.ifName, mac: pod.mac, mtu: pod.mtuBytes, sandbox: pod.netns },
    ],
    ips: [{ address: pod.address, gateway: pod.gateway, interface: 1 }],
    routes: pod.routes,
    dns: {},
  }
}

/** A default route only as the pod's first interface: elsewhere it would fight with the first one's. */
function routesOf(network: PodNetwork, isDefault: boolean): CniRoute[] {
  const defaults = isDefault ? (network.gateway_ips ?? []).map((gw) => ({ dst: '0.0.0.0/0', gw })) : []
  return [...defaults, ...(network.routes ?? []).map(({ dest, nextHop }) => ({ dst: dest, gw: nextHop }))]
}
