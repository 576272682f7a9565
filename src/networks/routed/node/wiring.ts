import type { CniResult } from '../../../cni/result.ts'
import type { Operation, Route } from '../../../kernel/kernel.ts'
import type { AttachmentKey } from '../../driver.ts'
import { formatAlias, hostMac, podGateway } from './names.ts'

/** The two ends of a pod interface. */
export interface Pair {
  readonly owner: AttachmentKey
  readonly hostName: string
  readonly netns: string
  readonly mac: string
  readonly mtuBytes: number
  /** The pod's first interface: it gets the default route. */
  readonly isDefault: boolean
}

/** One pod interface as it shall be (as Calico does). */
export interface Wiring extends Pair {
  readonly address: string
}

const scopeLink = 253

/**
 * In the host's namespace: the veth pair and the settings of the host end. It is down until it has its owner's name
 * and its route: a pod that is being made must not be reachable by an address that another had.
 */
export function pairOperations({ owner, hostName, netns, mac, mtuBytes }: Pair): Operation[] {
  return [
    {
      op: 'ensureVeth',
      name: hostName,
      peer: { name: owner.ifName, netns, mac, mtuBytes },
      mac: hostMac,
      mtuBytes,
    },
    ...hostSettings(hostName),
  ]
}

/** In the host's namespace, when the address is known. */
export function hostOperations({ owner, hostName, address }: Wiring): Operation[] {
  return [
    { op: 'setLink', name: hostName, isUp: true, alias: formatAlias({ ...owner, address }) },
    { op: 'ensureRoute', route: hostRoute(hostName, address) },
  ]
}

/** Settings of the host end. proxy_delay is 0 because the kernel's default makes the first packet wait 0.8 s. */
export function hostSettings(hostName: string): Operation[] {
  const conf = `net/ipv4/conf/${hostName}`
  return [
    { op: 'sysctl', key: `net/ipv6/conf/${hostName}/disable_ipv6`, value: '1', optional: true },
    { op: 'sysctl', key: `${conf}/route_localnet`, value: '1' },
    { op: 'sysctl', key: `${conf}/proxy_arp`, value: '1' },
    { op: 'sysctl', key: `${conf}/forwarding`, value: '1' },
    { op: 'sysctl', key: `${conf}/rp_filter`, value: '1' },
    { op: 'sysctl', key: `net/ipv4/neigh/${hostName}/proxy_delay`, value: '0', optional: true },
  ]
}

export function hostRoute(hostName: string, address: string): Route {
  return { family: 4, destination: `${address}/32`, device: hostName, scope: scopeLink }
}

/** In the pod's namespace. The gateway is a permanent neighbour: no ARP before the first packet. */
export function podOperations({ owner, isDefault, address }: Wiring): Operation[] {
  const device = owner.ifName
  const defaultRoute: Operation = {
    op: 'ensureRoute',
    route: { family: 4, destination: '0.0.0.0/0', gateway: podGateway, device },
  }
  return [
    { op: 'sysctl', key: `net/ipv6/conf/${device}/disable_ipv6`, value: '1', optional: true },
    { op: 'setLink', name: device, isUp: true },
    { op: 'ensureAddress', device, address: `${address}/32` },
    { op: 'ensureRoute', route: { family: 4, destination: `${podGateway}/32`, device, scope: scopeLink } },
    {
      op: 'ensureNeighbor',
      neighbor: { family: 4, address: podGateway, device, mac: hostMac, isPermanent: true },
    },
    ...(isDefault
      ? [defaultRoute, { op: 'sysctl' as const, key: 'net/ipv4/ip_forward', value: '0', optional: true }]
      : []),
  ]
}

/** As Calico answers, with the default route, which the meta-plugin needs to know of. */
export function resultOf({ owner, hostName, netns, mac, mtuBytes, isDefault, address }: Wiring): CniResult {
  const ip = { address: `${address}/32`, interface: 1 }
  return {
    interfaces: [
      { name: hostName, mac: hostMac, mtu: mtuBytes },
      { name: owner.ifName, mac, mtu: mtuBytes, sandbox: netns },
    ],
    ips: [isDefault ? ip : { ...ip, gateway: podGateway }],
    routes: isDefault ? [{ dst: '0.0.0.0/0', gw: podGateway }] : [],
    dns: {},
  }
}
