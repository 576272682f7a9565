import { type Family, familyOf, hostPrefixOf } from '../../../base/ip.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { Operation, Route } from '../../../kernel/kernel.ts'
import type { AttachmentKey } from '../../driver.ts'
import { formatAlias, hostMac, linkMetric, podGateways } from './names.ts'
import { elementsOf } from './senders/elements.ts'

/** The two ends of a pod interface. */
export interface Pair {
  readonly owner: AttachmentKey
  readonly hostName: string
  readonly netns: string
  readonly mac: string
  readonly mtuBytes: number
  /** The pod's first interface: it gets the default routes. */
  readonly isDefault: boolean
  /** Of which it will have addresses. */
  readonly families: readonly Family[]
}

/** One pod interface as it shall be (as Calico does). */
export interface Wiring extends Pair {
  /** One a family, IPv4 first. */
  readonly addresses: readonly string[]
  /** Addresses by which others reach the pod and which it does not know of. */
  readonly floating: readonly string[]
}

const scopeLink = 253

/**
 * In the host's namespace: the veth pair and the settings of the host end. It is down until it has its owner's name
 * and its routes: a pod that is being made must not be reachable by an address that another had.
 */
export function pairOperations({ owner, hostName, netns, mac, mtuBytes, families }: Pair): Operation[] {
  return [
    {
      op: 'ensureVeth',
      name: hostName,
      peer: { name: owner.ifName, netns, mac, mtuBytes },
      mac: hostMac,
      mtuBytes,
    },
    ...hostSettings(hostName, families),
  ]
}

/**
 * In the host's namespace, when the addresses are known. What the pod may send is said before anything comes from it,
 * and in the same breath with the alias, from which it is said again when it was lost.
 */
export function hostOperations({ owner, hostName, mac, ...wiring }: Wiring): Operation[] {
  const { floating } = wiring
  const addresses = [...wiring.addresses, ...floating]
  return [
    { op: 'ensureElements', sets: elementsOf({ device: hostName, mac, addresses: wiring.addresses }) },
    { op: 'setLink', name: hostName, isUp: true, alias: formatAlias({ ...owner, addresses, floating, mac }) },
    ...hostReach(hostName, addresses),
  ]
}

/** What leads to the pod's addresses; the interface must be up. */
export function hostReach(hostName: string, addresses: readonly string[]): Operation[] {
  const gateway: Operation = {
    op: 'ensureAddress',
    device: hostName,
    address: `${podGateways[6]}/64`,
    scope: scopeLink,
  }
  return [
    ...(addresses.some((address) => familyOf(address) === 6) ? [gateway] : []),
    ...addresses.map((address): Operation => ({ op: 'ensureRoute', route: hostRoute(hostName, address) })),
  ]
}

/** Settings of the host end. proxy_delay is 0 because the kernel's default makes the first packet wait 0.8 s. */
export function hostSettings(hostName: string, families: readonly Family[]): Operation[] {
  const conf = `net/ipv4/conf/${hostName}`
  return [
    ...(families.includes(6) ? ipv6HostSettings(hostName) : [ipv6Off(hostName)]),
    { op: 'sysctl', key: `${conf}/route_localnet`, value: '1' },
    { op: 'sysctl', key: `${conf}/proxy_arp`, value: '1' },
    { op: 'sysctl', key: `${conf}/forwarding`, value: '1' },
    { op: 'sysctl', key: `${conf}/rp_filter`, value: '1' },
    { op: 'sysctl', key: `net/ipv4/neigh/${hostName}/proxy_delay`, value: '0', optional: true },
  ]
}

/**
 * The link-local address is set by us and no other is made: a host may be set up to make a random one, and the pod
 * relies on this. Nothing waits for duplicate address detection.
 */
function ipv6HostSettings(hostName: string): Operation[] {
  const set = (key: string, value: string): Operation => ({
    op: 'sysctl',
    key: `net/ipv6/conf/${hostName}/${key}`,
    value,
  })
  return [
    set('addr_gen_mode', '1'),
    set('disable_ipv6', '0'),
    set('accept_dad', '0'),
    set('accept_ra', '0'),
    set('proxy_ndp', '1'),
    set('forwarding', '1'),
  ]
}

function ipv6Off(device: string): Operation {
  return { op: 'sysctl', key: `net/ipv6/conf/${device}/disable_ipv6`, value: '1', optional: true }
}

export function hostRoute(hostName: string, address: string): Route {
  const family = familyOf(address)
  return {
    family,
    destination: hostPrefixOf(address),
    device: hostName,
    ...(family === 4 ? { scope: scopeLink } : {}),
  }
}

/**
 * In the pod's namespace, before the addresses are known: nothing leaves it while the host end is down. The gateways
 * are permanent neighbours: nothing is asked for before the first packet.
 */
export function podOperations({ owner, isDefault, families }: Pair): Operation[] {
  const device = owner.ifName
  return [
    ...(families.includes(6) ? ipv6PodSettings(device) : [ipv6Off(device)]),
    { op: 'setLink', name: device, isUp: true },
    ...families.flatMap((family) => gatewayOperations(family, { device, isDefault })),
    ...(isDefault ? families.flatMap((family) => defaultOperations(family, device)) : []),
  ]
}

/** In the pod's namespace, when the addresses are known. */
export function addressOperations({ owner, addresses }: Wiring): Operation[] {
  return addresses.map((address) => ({ op: 'ensureAddress', device: owner.ifName, address: hostPrefixOf(address) }))
}

function ipv6PodSettings(device: string): Operation[] {
  return [
    // Runtimes turn IPv6 off in new namespaces; without lo a pod does not reach its own address.
    { op: 'sysctl', key: 'net/ipv6/conf/lo/disable_ipv6', value: '0', optional: true },
    { op: 'sysctl', key: `net/ipv6/conf/${device}/disable_ipv6`, value: '0' },
    { op: 'sysctl', key: `net/ipv6/conf/${device}/accept_dad`, value: '0' },
    { op: 'sysctl', key: `net/ipv6/conf/${device}/accept_ra`, value: '0' },
  ]
}

/** All interfaces of a pod have the same gateway: routes to it of one metric would replace one another. */
function gatewayOperations(family: Family, { device, isDefault }: { device: string; isDefault: boolean }): Operation[] {
  const address = podGateways[family]
  const route = { family, destination: hostPrefixOf(address), device, scope: scopeLink }
  const link: Operation = {
    op: 'ensureRoute',
    route: isDefault ? route : { ...route, metric: linkMetric(device) },
  }
  return [
    // An IPv6 gateway is on the link as it is.
    ...(family === 4 ? [link] : []),
    { op: 'ensureNeighbor', neighbor: { family, address, device, mac: hostMac, isPermanent: true } },
  ]
}

/** A pod does not forward. */
function defaultOperations(family: Family, device: string): Operation[] {
  const forwarding = family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding'
  return [
    {
      op: 'ensureRoute',
      route: { family, destination: defaultDestinations[family], gateway: podGateways[family], device },
    },
    { op: 'sysctl', key: forwarding, value: '0', optional: true },
  ]
}

const defaultDestinations: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' }

/** As Calico answers, with the default routes, which the meta-plugin needs to know of. */
export function resultOf(wiring: Wiring): CniResult {
  const { owner, hostName, netns, mac, mtuBytes, isDefault, addresses } = wiring
  return {
    interfaces: [
      { name: hostName, mac: hostMac, mtu: mtuBytes },
      { name: owner.ifName, mac, mtu: mtuBytes, sandbox: netns },
    ],
    ips: addresses.map((address) => ({
      address: hostPrefixOf(address),
      ...(isDefault ? {} : { gateway: podGateways[familyOf(address)] }),
      interface: 1,
    })),
    routes: isDefault
      ? addresses.map(familyOf).map((family) => ({ dst: defaultDestinations[family], gw: podGateways[family] }))
      : [],
    dns: {},
  }
}
