import { type Family, hostPrefixOf } from '../../../base/ip.ts'
import type { Kernel, Operation, Route } from '../../../kernel/kernel.ts'
import { allOfFamily, managementPort, masqueradeCidr, type NodeSubnet, ofFamily } from '../topology/names.ts'
import { routerMac } from '../topology/node.ts'
import { gatewayTable, natTable, routeProtocol, rulePriority } from './numbers.ts'

/** What the host's own network needs to know. Lists have one of a family at most. */
export interface HostNetworkFacts {
  readonly subnets: readonly NodeSubnet[]
  readonly netCidrs: readonly string[]
  readonly svcCidrs: readonly string[]
  readonly mtuBytes: number
  /**
   * The node's InternalIPs, as far as this host has them. Services are sent from them, as without this network: where
   * kube-proxy takes them, a source in the cluster network would lead the answers astray.
   */
  readonly internalAddresses: readonly string[]
  /** Absent: pods leave by whatever the main table says. */
  readonly gateway?:
    | { readonly device: string; readonly addresses: readonly string[]; readonly nextHops: readonly string[] }
    | undefined
}

/** OVN's answer address for services of the host with local traffic policy. */
const localServiceAddress: Readonly<Record<Family, string>> = { 4: '169.254.169.3/32', 6: 'fd69::3/128' }
const everywhere: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' }

/**
 * The management port: the host's foot in the node's subnets. The service prefixes go through it too, because in the
 * userspace datapath a service with a local pod is dropped on the way over the gateway router (recirculation limit).
 */
export function managementPortOperations(facts: HostNetworkFacts): Operation[] {
  const conf = `net/ipv4/conf/${managementPort}`
  return [
    { op: 'setLink', name: managementPort, mtuBytes: facts.mtuBytes, isUp: true },
    { op: 'sysctl', key: `${conf}/forwarding`, value: '1' },
    // Answers to pods come from prefixes whose route is elsewhere.
    { op: 'sysctl', key: `${conf}/rp_filter`, value: '2' },
    ...facts.subnets.flatMap((subnet) => managementFamily(subnet, facts)),
  ]
}

/** Linux forwards IPv6 on all interfaces or none. What is right already is not written: that would reset other settings. */
export async function ensureIpv6Forwarding(kernel: Kernel): Promise<void> {
  const key = 'net/ipv6/conf/all/forwarding'
  if ((await kernel.readSysctl(undefined, key)) === '1') return
  await kernel.apply(undefined, [{ op: 'sysctl', key, value: '1' }])
}

function managementFamily(subnet: NodeSubnet, facts: HostNetworkFacts): Operation[] {
  const { family, gateway, management, prefixLength } = subnet
  const mac = routerMac(facts.subnets)
  const pods = [...allOfFamily(facts.netCidrs, family), localServiceAddress[family]]
  const source = ofFamily(facts.internalAddresses, family)
  return [
    { op: 'ensureAddress', device: managementPort, address: `${management}/${prefixLength}` },
    {
      op: 'ensureNeighbor',
      neighbor: { family, address: gateway, device: managementPort, mac, isPermanent: true },
    },
    ...pods.map((destination) => viaManagement(family, { destination, gateway })),
    ...allOfFamily(facts.svcCidrs, family).map((destination) =>
      viaManagement(family, { destination, gateway, source }),
    ),
  ]
}

/**
 * Keeps the two networks apart on a host whose default route is elsewhere: what pods send, and what the gateway
 * interface's own addresses send, takes the prefixes that the host knows, and else the gateway interface.
 */
export function gatewayOperations({ gateway }: HostNetworkFacts): Operation[] {
  if (gateway === undefined) return []
  const { device, addresses, nextHops } = gateway
  return [
    { op: 'sysctl', key: `net/ipv4/conf/${device}/forwarding`, value: '1' },
    { op: 'sysctl', key: `net/ipv4/conf/${device}/rp_filter`, value: '2' },
    ...([4, 6] as const).flatMap((family) => {
      const [address, nextHop] = [ofFamily(addresses, family), ofFamily(nextHops, family)]
      return address === undefined || nextHop === undefined ? [] : gatewayFamily(family, { device, address, nextHop })
    }),
  ]
}

function gatewayFamily(
  family: Family,
  { device, address, nextHop }: { device: string; address: string; nextHop: string },
): Operation[] {
  const toDefault: Route = {
    family,
    destination: everywhere[family],
    gateway: nextHop,
    device,
    table: gatewayTable,
    protocol: routeProtocol,
  }
  const fromPods = { family, inputDevice: managementPort }
  const fromAddress = { family, from: hostPrefixOf(address) }
  return [
    { op: 'ensureRoute', route: toDefault },
    knownPrefixesRule(rulePriority.podsKnownPrefixes, fromPods),
    defaultRule(rulePriority.podsDefault, fromPods),
    knownPrefixesRule(rulePriority.ownAddressKnownPrefixes, fromAddress),
    defaultRule(rulePriority.ownAddressDefault, fromAddress),
  ]
}

/** Source addresses on the way out of the node's subnets, and into them. Replaces our table as a whole. */
export function buildNatRules({ subnets }: HostNetworkFacts): string {
  return [
    `add table ${natTable}`,
    `delete table ${natTable}`,
    `table ${natTable} {`,
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    ...subnets.flatMap(natRulesOf),
    '  }',
    '}',
    '',
  ].join('\n')
}

function natRulesOf({ family, cidr, management }: NodeSubnet): string[] {
  const ip = family === 4 ? 'ip' : 'ip6'
  const [inside, outside] = [`oifname "${managementPort}"`, `oifname != "${managementPort}"`]
  // Neighbour discovery and what else is on the link has addresses of its own.
  const isOfLink = family === 4 ? '' : ' ip6 saddr != fe80::/10'
  return [
    `    ${inside} ${ip} saddr != ${management}${isOfLink} snat ${ip} to ${management}`,
    `    ${outside} ${ip} saddr ${cidr} masquerade`,
    `    ${outside} ${ip} saddr ${masqueradeCidr[family]} masquerade`,
  ]
}

function viaManagement(
  family: Family,
  route: { destination: string; gateway: string; source?: string | undefined },
): Operation {
  return { op: 'ensureRoute', route: { family, ...route, device: managementPort, protocol: routeProtocol } }
}

type Selector = { readonly family: Family; readonly inputDevice?: string; readonly from?: string }

/** The main table, but not its default route. */
function knownPrefixesRule(priority: number, selector: Selector): Operation {
  const rule = { priority, table: 254, suppressPrefixLength: 0, protocol: routeProtocol }
  return { op: 'ensureRule', rule: { ...rule, ...selector } }
}

function defaultRule(priority: number, selector: Selector): Operation {
  return { op: 'ensureRule', rule: { priority, table: gatewayTable, protocol: routeProtocol, ...selector } }
}
