import { hostPrefixOf, parseCidr } from '../base/ip.ts'
import type { Kernel, Operation } from '../kernel/kernel.ts'
import type { FabricNetwork, LabConfig, LabNode } from './config.ts'
import { maxInterfaceNameLength } from './config-checks.ts'
import type { Namespaces } from './node/namespaces.ts'

/** The cables and the ToR router of a lab, in the fabric's own namespace and in those of the nodes. */
export interface FabricOptions {
  config: LabConfig
  kernel: Kernel
  fabric: Namespaces
  /** By node name. */
  nodes: ReadonlyMap<string, Namespaces>
}

/** Bridges, router addresses, cables and the nodes' addresses. Both ends of a cable are made outside the root namespace. */
export async function buildFabric(options: FabricOptions): Promise<void> {
  const { config, kernel, fabric } = options
  await kernel.apply(fabric.netns, [
    ...routerOperations(config),
    ...config.nodes.flatMap((node) => cableOperations(config, node, options.nodes.get(node.name))),
  ])
  await Promise.all(
    config.nodes.map(async (node) => {
      await kernel.apply(options.nodes.get(node.name)?.netns, nodeOperations(config, node))
    }),
  )
}

/** Name of the bridge that is a fabric network; it carries the ToR router's address. */
export function bridgeName(network: Pick<FabricNetwork, 'interface'>): string {
  const name = `br-${network.interface}`
  return name.length <= maxInterfaceNameLength ? name : network.interface
}

/** Name of the fabric's end of a node's cable. */
export function cableName(config: LabConfig, node: LabNode, network: FabricNetwork): string {
  const name = `${node.name}-${network.interface}`
  if (name.length <= maxInterfaceNameLength) return name
  return `port${config.nodes.indexOf(node)}-${config.fabric.networks.indexOf(network)}`
}

function routerOperations(config: LabConfig): Operation[] {
  return [
    { op: 'sysctl', key: 'net/ipv4/ip_forward', value: '1' },
    ...(config.fabric.networks.some(({ cidr6 }) => cidr6 !== undefined) ? [ipv6Forwarding] : []),
    ...config.fabric.networks.flatMap((network): Operation[] => [
      { op: 'ensureBridge', name: bridgeName(network), isUp: true },
      { op: 'ensureAddress', device: bridgeName(network), address: withLength(network.router, network) },
      ...address6(bridgeName(network), network.router6, network),
    ]),
    ...config.fabric.outside.map(
      (address): Operation => ({ op: 'ensureAddress', device: 'lo', address: hostPrefixOf(address) }),
    ),
  ]
}

function cableOperations(config: LabConfig, node: LabNode, target: Namespaces | undefined): Operation[] {
  return config.fabric.networks.flatMap((network): Operation[] => {
    const name = cableName(config, node, network)
    return [
      {
        op: 'ensureVeth',
        name,
        peer: { name: network.interface, netns: target?.netns, mac: macOf(node, network) },
        isUp: true,
        alias: `${node.name} ${network.interface}`,
      },
      { op: 'setLink', name, master: bridgeName(network) },
      ...offloadOff(config, network, name),
    ]
  })
}

function nodeOperations(config: LabConfig, node: LabNode): Operation[] {
  const management = config.fabric.networks.find((network) => network.interface === config.management)
  return [
    { op: 'sysctl', key: 'net/ipv4/ip_forward', value: '1' },
    ...config.fabric.networks.flatMap((network): Operation[] => [
      { op: 'setLink', name: network.interface, isUp: true },
      ...offloadOff(config, network, network.interface),
      {
        op: 'ensureAddress',
        device: network.interface,
        address: withLength(node.addresses[network.interface] ?? '', network),
      },
      ...address6(network.interface, node.addresses6[network.interface], network),
    ]),
    {
      op: 'ensureRoute',
      route: { family: 4, destination: '0.0.0.0/0', gateway: management?.router, device: config.management },
    },
    ...(management?.router6 === undefined
      ? []
      : [defaultRoute6({ gateway: management.router6, device: config.management })]),
  ]
}

const ipv6Forwarding: Operation = { op: 'sysctl', key: 'net/ipv6/conf/all/forwarding', value: '1' }

function defaultRoute6(way: { gateway: string; device: string }): Operation {
  return { op: 'ensureRoute', route: { family: 6, destination: '::/0', ...way } }
}

function address6(device: string, address: string | undefined, { cidr6 }: FabricNetwork): Operation[] {
  if (address === undefined || cidr6 === undefined) return []
  return [{ op: 'ensureAddress', device, address: `${address}/${parseCidr(cidr6).prefixLength}` }]
}

/**
 * OVS' userspace datapath reads the gateway interface through a packet socket: it would see the kernel's unfinished
 * checksums, as would its peer's kernel those that OVS leaves unfinished.
 */
function offloadOff(config: LabConfig, network: FabricNetwork, device: string): Operation[] {
  return network.interface === config.ovn.gatewayInterface ? [{ op: 'checksumOffload', device, isOn: false }] : []
}

/** Locally administered and derived from the address, so that a lab's transcript is the same each time. */
function macOf(node: LabNode, network: FabricNetwork): string {
  const bytes = (node.addresses[network.interface] ?? '')
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
  return ['52', '54', ...bytes].join(':')
}

function withLength(address: string, network: FabricNetwork): string {
  return `${address}/${parseCidr(network.cidr).prefixLength}`
}
