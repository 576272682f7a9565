import { nadIdKey, networkIdKey, networkPrefix, topologyIdKey } from '../secondary/names.ts'
import type { LogicalRouterPort, LogicalSwitchPort } from '../tables/northbound.ts'
import { gatewayRouter, managementLogicalPort } from '../topology/names.ts'
import type { NorthboundSnapshot } from './read.ts'

/** A logical network: the cluster's own, or a secondary one. */
export interface ShownNetwork {
  readonly name: string
  /** `cluster`, `layer2`, `layer3` or `localnet`. */
  readonly topology: string
  readonly routers: readonly ShownRouter[]
  readonly switches: readonly ShownSwitch[]
}

export interface ShownRouter {
  readonly name: string
  readonly ports: readonly { readonly name: string; readonly networks: readonly string[]; readonly leadsTo: string }[]
  /** `snat 10.144.0.31 -> 192.168.200.101` */
  readonly nats: readonly string[]
}

export interface ShownSwitch {
  readonly name: string
  readonly subnets: readonly string[]
  readonly ports: readonly ShownPort[]
}

export interface ShownPort {
  readonly name: string
  /** What is at its other end: `pod default/busybox3`, `router GR_work01`, `node work01`, `physical network physnet`. */
  readonly peer: string
  readonly addresses: readonly string[]
  /** Where it is bound; only of pods. */
  readonly node?: string | undefined
  readonly isUp: boolean | undefined
  readonly pod?: { readonly namespace: string; readonly name: string } | undefined
}

/** What of the topology is wanted. */
export type Focus =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }

/** The logical topology, networks in order of their names after the cluster's own. */
export function buildModel(snapshot: NorthboundSnapshot): ShownNetwork[] {
  const networks = new Map<string, { topology: string; routers: ShownRouter[]; switches: ShownSwitch[] }>()
  const of = (ids: Readonly<Record<string, string>>): { routers: ShownRouter[]; switches: ShownSwitch[] } => {
    const name = ids[networkIdKey] ?? clusterName
    const found = networks.get(name) ?? { topology: ids[topologyIdKey] ?? 'cluster', routers: [], switches: [] }
    networks.set(name, found)
    return found
  }
  const links = new Links(snapshot)
  for (const row of snapshot.routers) of(row.external_ids).routers.push(links.router(row))
  for (const row of snapshot.switches) of(row.external_ids).switches.push(links.switch(row))
  return [...networks]
    .map(([name, parts]) => ({
      name,
      topology: parts.topology,
      routers: sorted(parts.routers),
      switches: sorted(parts.switches),
    }))
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
}

/** The part that belongs to one node or pod: its ports, and what they hang on. Networks with nothing of it are left out. */
export function narrow(networks: readonly ShownNetwork[], focus: Focus): ShownNetwork[] {
  if (focus.kind === 'cluster') return [...networks]
  return networks
    .map((network) => (focus.kind === 'node' ? ofNode(network, focus.name) : ofPod(network, focus)))
    .filter(({ switches }) => switches.length > 0)
}

const clusterName = 'cluster'

function rank({ name }: ShownNetwork): number {
  return name === clusterName ? 0 : 1
}

function sorted<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => a.name.localeCompare(b.name))
}

/** Finds what is at the other end of a port. */
class Links {
  readonly #switchPorts: ReadonlyMap<string, LogicalSwitchPort>
  readonly #routerPorts: ReadonlyMap<string, LogicalRouterPort>
  readonly #nats: ReadonlyMap<string, string>
  /** Names of the router that a router port is on, and of the switch that leads to it. */
  readonly #routerOfPort = new Map<string, string>()
  readonly #switchOfRouterPort = new Map<string, string>()

  constructor({ switches, switchPorts, routers, routerPorts, nats }: NorthboundSnapshot) {
    this.#switchPorts = new Map(switchPorts.map((port) => [port._uuid, port]))
    this.#routerPorts = new Map(routerPorts.map((port) => [port._uuid, port]))
    this.#nats = new Map(nats.map((nat) => [nat._uuid, `${nat.type} ${nat.logical_ip} -> ${nat.external_ip}`]))
    for (const router of routers) {
      for (const port of this.#routerPortsOf(router.ports)) this.#routerOfPort.set(port.name, router.name)
    }
    for (const each of switches) {
      for (const { type, options } of this.#switchPortsOf(each.ports)) {
        const peer = options['router-port']
        if (type === 'router' && peer !== undefined) this.#switchOfRouterPort.set(peer, each.name)
      }
    }
  }

  router({ name, ports, nat }: NorthboundSnapshot['routers'][number]): ShownRouter {
    const shown = this.#routerPortsOf(ports).map((port) => ({
      name: port.name,
      networks: port.networks,
      leadsTo: `switch ${this.#switchOfRouterPort.get(port.name) ?? 'none'}`,
    }))
    return { name, ports: sorted(shown), nats: nat.flatMap((uuid) => this.#nats.get(uuid) ?? []).sort() }
  }

  switch({ name, ports, other_config: config }: NorthboundSnapshot['switches'][number]): ShownSwitch {
    const subnets = [config.subnet, config.ipv6_prefix].filter((text) => text !== undefined)
    return { name, subnets, ports: sorted(this.#switchPortsOf(ports).map((port) => this.#port(port))) }
  }

  #port(port: LogicalSwitchPort): ShownPort {
    const pod = podOf(port)
    return {
      name: port.name,
      peer: this.#peerOf(port, pod),
      addresses: port.addresses.flatMap((text) => text.split(' ')).filter((text) => text !== 'router'),
      ...(pod === undefined ? {} : { node: port.options['requested-chassis'] }),
      isUp: port.up,
      ...(pod === undefined ? {} : { pod }),
    }
  }

  #peerOf(port: LogicalSwitchPort, pod: ShownPort['pod']): string {
    if (pod !== undefined) return `pod ${pod.namespace}/${pod.name}`
    const { type, name, options } = port
    if (type === 'router') return `router ${this.#routerOfPort.get(options['router-port'] ?? '') ?? 'none'}`
    if (type === 'localnet') return `physical network ${options.network_name}${tagText(port.tag_request)}`
    const management = managementLogicalPort('')
    return name.startsWith(management) ? `node ${name.slice(management.length)}` : type || 'port'
  }

  #switchPortsOf(uuids: readonly string[]): LogicalSwitchPort[] {
    return uuids.flatMap((uuid) => this.#switchPorts.get(uuid) ?? [])
  }

  #routerPortsOf(uuids: readonly string[]): LogicalRouterPort[] {
    return uuids.flatMap((uuid) => this.#routerPorts.get(uuid) ?? [])
  }
}

function tagText(tag: number | undefined): string {
  return tag === undefined ? '' : `, VLAN ${tag}`
}

/** Neither the pod's name nor its namespace may hold a `_`, so the port's name tells them apart. */
function podOf({ name, external_ids: ids }: LogicalSwitchPort): ShownPort['pod'] {
  const { namespace, pod } = ids
  if (namespace === undefined || pod !== 'true') return undefined
  const nad = ids[nadIdKey]
  const prefix = `${nad === undefined ? '' : networkPrefix(nad)}${namespace}_`
  return { namespace, name: name.slice(prefix.length) }
}

function ofNode(network: ShownNetwork, node: string): ShownNetwork {
  const isOfNode = (port: ShownPort): boolean => port.node === node || port.peer === `node ${node}`
  const own = [gatewayRouter(node), `ext_${node}`, node, `${networkPrefix(network.name)}${node}`]
  const switches = network.switches
    .filter(({ name, ports }) => own.includes(name) || ports.some(isOfNode))
    .map((each) =>
      own.includes(each.name)
        ? each
        : { ...each, ports: each.ports.filter((port) => port.pod === undefined || isOfNode(port)) },
    )
  return { ...network, switches, routers: reachable(network, switches).filter((router) => isRouterOf(router, node)) }
}

/** Of gateway routers only the node's own. */
function isRouterOf({ name }: ShownRouter, node: string): boolean {
  return !name.startsWith(gatewayRouter('')) || name === gatewayRouter(node)
}

function ofPod(network: ShownNetwork, pod: { namespace: string; name: string }): ShownNetwork {
  const isOwn = (port: ShownPort): boolean => port.pod?.namespace === pod.namespace && port.pod.name === pod.name
  const switches = network.switches
    .filter(({ ports }) => ports.some(isOwn))
    .map((each) => ({ ...each, ports: each.ports.filter((port) => isOwn(port) || port.pod === undefined) }))
  return { ...network, switches, routers: reachable(network, switches) }
}

/** Routers that one of these switches leads to. */
function reachable({ routers }: ShownNetwork, switches: readonly ShownSwitch[]): ShownRouter[] {
  const peers = new Set(switches.flatMap(({ ports }) => ports.map(({ peer }) => peer)))
  return routers.filter(({ name }) => peers.has(`router ${name}`))
}
