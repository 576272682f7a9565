import type { Operation, Route } from '../../../kernel/kernel.ts'
import { macOf, managementPort, masqueradeCidr, type NodeSubnet } from '../topology/names.ts'
import { gatewayTable, natTable, routeProtocol, rulePriority } from './numbers.ts'

/** What the host's own network needs to know. */
export interface HostNetworkFacts {
  readonly subnet: NodeSubnet
  readonly netCidrs: readonly string[]
  readonly svcCidr: string
  readonly mtuBytes: number
  /**
   * The node's InternalIP, if this host has it. Services are sent from it, as without this network: where kube-proxy
   * takes them, a source in the cluster network would lead the answers astray.
   */
  readonly internalAddress?: string | undefined
  /** Absent: pods leave by whatever the main table says. */
  readonly gateway?: { readonly device: string; readonly address: string; readonly nextHop: string } | undefined
}

/** OVN's answer address for services of the host with local traffic policy. */
const localServiceAddress = '169.254.169.3/32'

/**
 * The management port: the host's foot in the node's subnet. The service prefix goes through it too, because in the
 * userspace datapath a service with a local pod is dropped on the way over the gateway router (recirculation limit).
 */
export function managementPortOperations(facts: HostNetworkFacts): Operation[] {
  const { subnet, netCidrs, svcCidr, mtuBytes } = facts
  const conf = `net/ipv4/conf/${managementPort}`
  return [
    { op: 'setLink', name: managementPort, mtuBytes, isUp: true },
    { op: 'ensureAddress', device: managementPort, address: `${subnet.management}/${subnet.prefixLength}` },
    { op: 'sysctl', key: `${conf}/forwarding`, value: '1' },
    // Answers to pods come from prefixes whose route is elsewhere.
    { op: 'sysctl', key: `${conf}/rp_filter`, value: '2' },
    {
      op: 'ensureNeighbor',
      neighbor: {
        family: 4,
        address: subnet.gateway,
        device: managementPort,
        mac: macOf(subnet.gateway),
        isPermanent: true,
      },
    },
    ...[...netCidrs, localServiceAddress].map((destination) => viaManagement(destination, subnet.gateway)),
    viaManagement(svcCidr, subnet.gateway, facts.internalAddress),
  ]
}

/**
 * Keeps the two networks apart on a host whose default route is elsewhere: what pods send, and what the gateway
 * interface's own address sends, takes the prefixes that the host knows, and else the gateway interface.
 */
export function gatewayOperations({ gateway }: HostNetworkFacts): Operation[] {
  if (gateway === undefined) return []
  const { device, address, nextHop } = gateway
  const toDefault: Route = {
    family: 4,
    destination: '0.0.0.0/0',
    gateway: nextHop,
    device,
    table: gatewayTable,
    protocol: routeProtocol,
  }
  const fromPods = { inputDevice: managementPort }
  const fromAddress = { from: `${address}/32` }
  return [
    { op: 'sysctl', key: `net/ipv4/conf/${device}/forwarding`, value: '1' },
    { op: 'sysctl', key: `net/ipv4/conf/${device}/rp_filter`, value: '2' },
    { op: 'ensureRoute', route: toDefault },
    knownPrefixesRule(rulePriority.podsKnownPrefixes, fromPods),
    defaultRule(rulePriority.podsDefault, fromPods),
    knownPrefixesRule(rulePriority.ownAddressKnownPrefixes, fromAddress),
    defaultRule(rulePriority.ownAddressDefault, fromAddress),
  ]
}

/** Source addresses on the way out of the node's subnet, and into it. Replaces our table as a whole. */
export function buildNatRules({ subnet }: HostNetworkFacts): string {
  return [
    `add table ${natTable}`,
    `delete table ${natTable}`,
    `table ${natTable} {`,
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    oifname "${managementPort}" ip saddr != ${subnet.management} snat ip to ${subnet.management}`,
    `    oifname != "${managementPort}" ip saddr ${subnet.cidr} masquerade`,
    `    oifname != "${managementPort}" ip saddr ${masqueradeCidr} masquerade`,
    '  }',
    '}',
    '',
  ].join('\n')
}

function viaManagement(destination: string, gateway: string, source?: string): Operation {
  const route: Route = { family: 4, destination, gateway, source, device: managementPort, protocol: routeProtocol }
  return { op: 'ensureRoute', route }
}

type Selector = { readonly inputDevice?: string; readonly from?: string }

/** The main table, but not its default route. */
function knownPrefixesRule(priority: number, selector: Selector): Operation {
  const rule = { family: 4 as const, priority, table: 254, suppressPrefixLength: 0, protocol: routeProtocol }
  return { op: 'ensureRule', rule: { ...rule, ...selector } }
}

function defaultRule(priority: number, selector: Selector): Operation {
  return {
    op: 'ensureRule',
    rule: { family: 4, priority, table: gatewayTable, protocol: routeProtocol, ...selector },
  }
}
