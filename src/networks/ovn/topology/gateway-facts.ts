import { type Family, parseInterfaceAddress } from '../../../base/ip.ts'
import { familiesOf, gatewayRouter, joinAddress, ofFamily } from './names.ts'
import type { GatewayFacts, NodeFacts } from './node.ts'

export interface GatewayOptions {
  /** Prefixes of all pods. */
  readonly netCidrs: readonly string[]
  readonly mtuBytes: number
  /** One source NAT row a pod instead of one for the whole cluster network. */
  readonly disableSnatMultipleGateways: boolean
  readonly disablePacketMtuCheck: boolean
}

export const gatewayRouterId = (node: string): string => `topology/router/${gatewayRouter(node)}`

/** The addresses without their lengths. */
export function gatewayAddresses({ addresses }: Pick<GatewayFacts, 'addresses'>): string[] {
  return addresses.map((text) => parseInterfaceAddress(text).address)
}

/** A node that has its gateway. */
export type GatewayNode = NodeFacts & { gateway: GatewayFacts }

/** What of a gateway belongs to one family. */
export interface GatewayFamily {
  readonly family: Family
  readonly address: string
  readonly nextHop: string | undefined
  readonly join: string
}

export function familiesOfGateway({ number, gateway }: GatewayNode): GatewayFamily[] {
  return gatewayAddresses(gateway).map((address) => {
    const [family = 4] = familiesOf([address])
    return { family, address, nextHop: ofFamily(gateway.nextHops, family), join: joinAddress(number, family) }
  })
}
