import { bareAddress, findNodeSubnets } from '../annotations.ts'
import { gatewayAddresses } from '../topology/gateway-facts.ts'
import { allOfFamily, integrationBridge, type NodeSubnet, nodeSubnet, patchPort } from '../topology/names.ts'
import { annotateNode } from './annotate-node.ts'
import { ensureChassis, ensureSystemId } from './chassis.ts'
import type { NodeContext } from './context.ts'
import { requireOnBridge } from './encap-address.ts'
import type { GatewayBridge } from './gateway/bridge.ts'
import { GatewayFlowSync } from './gateway/flow-sync.ts'
import { GatewayTakeover } from './gateway/takeover.ts'
import {
  buildNatRules,
  ensureIpv6Forwarding,
  gatewayOperations,
  type HostNetworkFacts,
  managementPortOperations,
} from './host-network.ts'
import { ensureManagementPort } from './management-port.ts'
import { TunnelPeers } from './tunnel-peers.ts'

/** Brings the node itself into the network and keeps it there. Every run of `ensure` completes what lacks. */
export class NodeSetup {
  readonly #context: NodeContext
  readonly #flows: GatewayFlowSync
  readonly #takeover: GatewayTakeover
  readonly #peers: TunnelPeers
  #natRules: string | undefined
  /** What `ensure` waits for from outside; undefined when the node is complete. */
  missing: string | undefined = 'the node is not set up yet'

  constructor(context: NodeContext, onLost: () => void) {
    this.#context = context
    this.#flows = new GatewayFlowSync(context, onLost)
    this.#takeover = new GatewayTakeover(context)
    this.#peers = new TunnelPeers(context)
  }

  /** The order matters: flows before anything else can speak on the gateway bridge, annotations last. */
  async ensure(signal: AbortSignal): Promise<void> {
    const gateway = await this.#ensureGateway(signal)
    const systemId = await ensureSystemId(this.#context)
    await ensureChassis(this.#context, systemId, await this.#encapIp(gateway))
    const subnets = this.#findSubnets()
    this.missing = this.#findMissing(subnets)
    if (this.missing !== undefined) return
    await ensureManagementPort(this.#context, subnets, signal)
    await this.#ensureHostNetwork(subnets, gateway)
    await annotateNode(this.#context, { systemId, subnets, gateway })
    await this.#peers.warm(gateway)
    this.missing = this.#findMissingPatch(gateway)
  }

  async stop(): Promise<void> {
    await this.#flows.stop()
  }

  async #ensureGateway(signal: AbortSignal): Promise<GatewayBridge | undefined> {
    const { gatewayInterface } = this.#context.settings
    await this.#takeover.restoreOthers(gatewayInterface)
    if (gatewayInterface === undefined) return undefined
    try {
      return await this.#takeover.ensure(gatewayInterface, (gateway) => this.#flows.install(gateway, signal), signal)
    } catch (error) {
      await this.#flows.stop()
      throw error
    }
  }

  async #ensureHostNetwork(subnets: readonly NodeSubnet[], gateway: GatewayBridge | undefined): Promise<void> {
    const { kernel, settings } = this.#context
    const facts: HostNetworkFacts = {
      ...settings,
      subnets,
      internalAddresses: await this.#ownInternalAddresses(),
      gateway: gateway && {
        device: gateway.bridge,
        addresses: gatewayAddresses(gateway),
        nextHops: gateway.nextHops,
      },
    }
    if (subnets.some(({ family }) => family === 6)) await ensureIpv6Forwarding(kernel)
    await kernel.apply(undefined, [...managementPortOperations(facts), ...gatewayOperations(facts)])
    const rules = buildNatRules(facts)
    if (rules !== this.#natRules) await kernel.nft(undefined, rules)
    this.#natRules = rules
  }

  async #encapIp(gateway: GatewayBridge | undefined): Promise<string> {
    const { settings, nodeName } = this.#context
    if (settings.encapIp !== undefined) await requireOnBridge(this.#context, settings.encapIp)
    const [ofGateway] = gateway === undefined ? [] : gatewayAddresses(gateway)
    const address = settings.encapIp ?? ofGateway ?? this.#internalAddresses()[0]
    if (address === undefined) throw new Error(`node ${nodeName} has no InternalIP to take for tunnels yet`)
    return address
  }

  /** IPv4 first. */
  #internalAddresses(): string[] {
    const { nodes, nodeName } = this.#context
    const addresses = nodes.get(nodeName)?.status?.addresses ?? []
    const internal = addresses.flatMap(({ type, address }) => (type === 'InternalIP' ? [bareAddress(address)] : []))
    return [...allOfFamily(internal, 4), ...allOfFamily(internal, 6)]
  }

  async #ownInternalAddresses(): Promise<string[]> {
    const own = (await this.#context.kernel.addresses(undefined)).map(({ address }) => address)
    return this.#internalAddresses().filter((address) => own.includes(address))
  }

  #findSubnets(): NodeSubnet[] {
    const node = this.#context.nodes.get(this.#context.nodeName)
    return node === undefined ? [] : findNodeSubnets(node, 'default').map(nodeSubnet)
  }

  /** Nothing crosses the gateway bridge before; ovn-controller makes it when the controller has made the router. */
  #findMissingPatch(gateway: GatewayBridge | undefined): string | undefined {
    const { local, nodeName } = this.#context
    if (gateway === undefined || local.ofport(patchPort(gateway.bridge, nodeName)) !== undefined) return undefined
    return `no patch port yet between ${gateway.bridge} and br-int: are controller and ovn-controller running?`
  }

  #findMissing(subnets: readonly NodeSubnet[]): string | undefined {
    const { local, nodeName } = this.#context
    if (subnets.length === 0) return `node ${nodeName} has no subnet yet: is the controller running?`
    if (local.bridge(integrationBridge) === undefined) return 'there is no br-int: is ovn-controller running?'
    return undefined
  }
}
