import { createSocket } from 'node:dgram'
import { cidrContains, familyOf, parseCidr } from '../../../base/ip.ts'
import { findGateway } from '../annotations.ts'
import { gatewayAddresses } from '../topology/gateway-facts.ts'
import type { NodeContext } from './context.ts'
import type { GatewayBridge } from './gateway/bridge.ts'

/** The discard service (RFC 863): what is sent there means nothing. */
const discardPort = 9

/**
 * The userspace datapath drops the first packet to a tunnel's other end while it asks for its MAC. One datagram to each
 * new peer makes the host ask first; the switch learns from the answer.
 */
export class TunnelPeers {
  readonly #context: NodeContext
  readonly #warmed = new Set<string>()

  constructor(context: NodeContext) {
    this.#context = context
  }

  async warm(gateway: GatewayBridge | undefined): Promise<void> {
    if (gateway === undefined || this.#context.local.datapathType !== 'netdev') return
    const fresh = this.#addresses(gateway).filter((address) => !this.#warmed.has(address))
    if (fresh.length === 0) return
    const socket = createSocket(familyOf(fresh[0] ?? '') === 4 ? 'udp4' : 'udp6')
    socket.on('error', () => {})
    for (const address of fresh) {
      await new Promise<void>((resolve) => socket.send('', discardPort, address, () => resolve()))
      this.#warmed.add(address)
    }
    socket.close()
  }

  /** Tunnels are between the gateways' first addresses. */
  #addresses({ addresses: [address = ''] }: GatewayBridge): string[] {
    const { nodes, nodeName } = this.#context
    const link = parseCidr(address)
    return nodes.list().flatMap((node) => {
      const other = node.metadata.name === nodeName ? undefined : findGateway(node)
      const [peer] = other === undefined ? [] : gatewayAddresses(other)
      return peer !== undefined && cidrContains(link, peer) ? [peer] : []
    })
  }
}
