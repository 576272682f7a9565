import { parseCidr } from '../../../../base/ip.ts'

/** Facts that the flows of a gateway bridge are made of. */
export interface GatewayFlowFacts {
  /** MAC of the bridge, of the NIC, and of the gateway router: one for all. */
  readonly mac: string
  /** OpenFlow number of the NIC. */
  readonly uplink: number
  /** OpenFlow number of the patch port to br-int; absent until ovn-controller has made it. */
  readonly patch?: number | undefined
  readonly encapType: 'vxlan' | 'geneve'
  readonly netCidrs: readonly string[]
}

interface Flow {
  readonly table?: number
  readonly priority: number
  readonly match?: string
  readonly actions: string
}

/** Conntrack zone of connections over the uplink, and the mark that says which side began them. */
const zone = 64_000
const mark = { ovn: '0x1', host: '0x2' } as const
const tunnelPort = { vxlan: 4789, geneve: 6081 } as const
const trackedTable = 1
/** As ovs-ofctl names IPv4 and IPv6. */
const protocols = ['ip', 'ipv6'] as const

/**
 * Flows of the gateway bridge, for `ovs-ofctl replace-flows`. The gateway router has the address and MAC of the host,
 * so switching by MAC would make both answer. Without a patch port everything is between NIC and host; with it, a
 * connection goes back to the side that began it, and what begins outside goes to the host unless it is for a pod.
 */
export function buildGatewayFlows(facts: GatewayFlowFacts): string {
  const flows = facts.patch === undefined ? hostOnlyFlows(facts) : sharedFlows({ ...facts, patch: facts.patch })
  return flows.map(renderFlow).join('')
}

function hostOnlyFlows({ uplink }: GatewayFlowFacts): Flow[] {
  return [
    { priority: 10, match: `in_port=${uplink}`, actions: 'LOCAL' },
    { priority: 10, match: 'in_port=LOCAL', actions: `output:${uplink}` },
    { priority: 0, actions: 'drop' },
  ]
}

function sharedFlows(facts: GatewayFlowFacts & { patch: number }): Flow[] {
  return [
    ...tunnelFlows(facts),
    ...outgoingFlows(facts),
    ...discoveryFlows(facts),
    ...incomingFlows(facts),
    ...trackedFlows(facts),
  ]
}

/** Tunnels are the host's and need no tracking. */
function tunnelFlows({ mac, uplink, encapType }: GatewayFlowFacts): Flow[] {
  const port = `udp,tp_dst=${tunnelPort[encapType]}`
  return [
    { priority: 205, match: `in_port=${uplink},dl_dst=${mac},${port}`, actions: 'LOCAL' },
    { priority: 200, match: `in_port=LOCAL,${port}`, actions: `output:${uplink}` },
  ]
}

function outgoingFlows({ mac, uplink, patch }: GatewayFlowFacts & { patch: number }): Flow[] {
  const commit = (side: string): string => `ct(commit,zone=${zone},exec(set_field:${side}->ct_mark)),output:${uplink}`
  return [
    ...protocols.flatMap((protocol): Flow[] => [
      { priority: 100, match: `in_port=${patch},dl_src=${mac},${protocol}`, actions: commit(mark.ovn) },
      { priority: 100, match: `in_port=LOCAL,${protocol}`, actions: commit(mark.host) },
    ]),
    // ARP and the like: out, and never to the other side, which has the same address.
    { priority: 10, match: `in_port=${patch},dl_src=${mac}`, actions: `output:${uplink}` },
    { priority: 9, match: `in_port=${patch}`, actions: 'drop' },
    { priority: 10, match: 'in_port=LOCAL', actions: `output:${uplink}` },
  ]
}

/**
 * What ARP is to IPv4: neighbour discovery has the same rules and is not tracked. The host alone answers solicitations,
 * and hears routers; an advertisement may be for either.
 */
function discoveryFlows({ mac, uplink, patch }: GatewayFlowFacts & { patch: number }): Flow[] {
  const kinds = { solicitation: 135, advertisement: 136 } as const
  const routers = [133, 134]
  const of = (type: number): string => `icmp6,icmp_type=${type}`
  return [
    ...Object.values(kinds).flatMap((type): Flow[] => [
      { priority: 110, match: `in_port=${patch},dl_src=${mac},${of(type)}`, actions: `output:${uplink}` },
      { priority: 110, match: `in_port=LOCAL,${of(type)}`, actions: `output:${uplink}` },
    ]),
    { priority: 60, match: `in_port=${uplink},${of(kinds.advertisement)}`, actions: `LOCAL,output:${patch}` },
    ...[kinds.solicitation, ...routers].map((type): Flow => {
      return { priority: 60, match: `in_port=${uplink},${of(type)}`, actions: 'LOCAL' }
    }),
  ]
}

function incomingFlows({ uplink, patch }: GatewayFlowFacts & { patch: number }): Flow[] {
  return [
    ...protocols.map((protocol): Flow => {
      const actions = `ct(zone=${zone},nat,table=${trackedTable})`
      return { priority: 50, match: `in_port=${uplink},${protocol}`, actions }
    }),
    // The host answers ARP requests for the address that both have; an ARP reply may be for either.
    { priority: 25, match: `in_port=${uplink},arp,arp_op=1`, actions: 'LOCAL' },
    { priority: 10, match: `in_port=${uplink}`, actions: `LOCAL,output:${patch}` },
    { priority: 0, actions: 'drop' },
  ]
}

function trackedFlows({ patch, netCidrs }: GatewayFlowFacts & { patch: number }): Flow[] {
  const known = (state: string, side: string, actions: string): Flow[] =>
    protocols.map((protocol) => ({
      table: trackedTable,
      priority: 100,
      match: `${protocol},ct_state=+trk+${state},ct_mark=${side}`,
      actions,
    }))
  return [
    ...known('est', mark.ovn, `output:${patch}`),
    ...known('rel', mark.ovn, `output:${patch}`),
    ...known('est', mark.host, 'LOCAL'),
    ...known('rel', mark.host, 'LOCAL'),
    ...netCidrs.map((cidr): Flow => {
      const match = parseCidr(cidr).family === 4 ? `ip,nw_dst=${cidr}` : `ipv6,ipv6_dst=${cidr}`
      return { table: trackedTable, priority: 15, match, actions: `output:${patch}` }
    }),
    { table: trackedTable, priority: 0, actions: 'LOCAL' },
  ]
}

function renderFlow({ table = 0, priority, match, actions }: Flow): string {
  return `${[`table=${table}`, `priority=${priority}`, ...(match === undefined ? [] : [match])].join(',')},actions=${actions}\n`
}
