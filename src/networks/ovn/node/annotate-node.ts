import { formatCidr, parseCidr } from '../../../base/ip.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { nodeAnnotation, renderGateway } from '../annotations.ts'
import { localnetPort, type NodeSubnet, ofFamily } from '../topology/names.ts'
import { managementMac } from '../topology/node.ts'
import type { NodeContext } from './context.ts'
import type { GatewayBridge } from './gateway/bridge.ts'

/** Tells the controller what this node is; only what differs is written. The gateway only when its flows are in. */
export async function annotateNode(
  { kube, nodes: known, nodeName, settings }: NodeContext,
  facts: { systemId: string; subnets: readonly NodeSubnet[]; gateway: GatewayBridge | undefined },
): Promise<void> {
  const current = known.get(nodeName)?.metadata.annotations ?? {}
  const annotations = Object.fromEntries(
    Object.entries(nodeAnnotations(nodeName, { ...facts, mode: settings.gatewayMode })).filter(
      ([key, value]) => current[key] !== value,
    ),
  )
  if (Object.keys(annotations).length === 0) return
  await kube.patch(nodes, nodeName, { type: 'merge', body: { metadata: { annotations } } })
}

interface NodeAnnotationFacts {
  readonly systemId: string
  readonly subnets: readonly NodeSubnet[]
  readonly gateway: GatewayBridge | undefined
  readonly mode: 'local' | 'shared'
}

function nodeAnnotations(
  nodeName: string,
  { systemId, subnets, gateway, mode }: NodeAnnotationFacts,
): Record<string, string> {
  const always = {
    [nodeAnnotation.chassisId]: systemId,
    [nodeAnnotation.managementMacs]: JSON.stringify({ default: managementMac(subnets) }),
  }
  if (gateway === undefined) return { ...always, [nodeAnnotation.gateway]: renderGateway(undefined) }
  const { bridge, mac, addresses, nextHops } = gateway
  const config = { bridge, interfaceId: localnetPort(bridge, nodeName), mac, addresses, nextHops, vlanId: '0' }
  return {
    ...always,
    [nodeAnnotation.gateway]: renderGateway(config, mode),
    [nodeAnnotation.primaryAddress]: JSON.stringify({
      ipv4: ofFamily(addresses, 4) ?? '',
      ipv6: ofFamily(addresses, 6) ?? '',
    }),
    [nodeAnnotation.hostCidrs]: JSON.stringify(addresses.map((address) => formatCidr(parseCidr(address)))),
  }
}
