import { ConfigError } from '../../base/errors.ts'
import type { AttachmentPreview, PreviewFacts } from '../driver.ts'
import { findNodeSubnets, findPodNetwork } from './annotations.ts'
import type { OvnConfig, OvnSettings } from './config.ts'
import { AddressPools } from './ipam/address-pools.ts'
import { describeInterface, resultOf } from './node/pod-interface.ts'
import type { SecondaryNetwork } from './secondary/net-conf.ts'
import { buildSecondaryPodNetwork, secondaryMac, withLength } from './secondary/pod-rows.ts'

const owner = 'preview'

/** What controller and agent will make of a pod on a secondary network, by the functions that they use. Throws ConfigError. */
export async function previewSecondary(
  config: OvnConfig & { secondary: SecondaryNetwork },
  settings: OvnSettings,
  facts: PreviewFacts,
): Promise<AttachmentPreview> {
  const { secondary } = config
  const { requested, pod, ifName, isDefault } = facts
  const subnets = subnetsOn(secondary, facts)
  const given = findPodNetwork(pod, config.networkKey)
  const asked = requested.ips ?? []
  const addresses = given?.ip_addresses ?? addressesOf(secondary, subnets, asked)
  const mac = given?.mac_address ?? secondaryMac(addresses, { requested: requested.mac, attachment: '' })
  const network = given ?? buildSecondaryPodNetwork({ addresses, mac }, secondary, requested.defaultRoute)
  const mtuBytes = config.mtu ?? settings.mtuBytes
  const attachment = { containerId: '', ifName, netns: '', isDefault, pod: { namespace: '', name: '' }, config }
  const isCertain = given !== undefined || asked.length > 0
  const isMacCertain = isCertain || requested.mac !== undefined
  return {
    result: resultOf(describeInterface(attachment, network, mtuBytes)),
    ranges: isCertain ? [] : subnets,
    mac: isMacCertain && (addresses.length > 0 || requested.mac !== undefined) ? mac : undefined,
    mtuBytes,
    notes: [
      ...(isCertain || subnets.length > 0 ? [] : [`${ifName} gets no address: network "${secondary.name}" has none`]),
      ...(isMacCertain || subnets.length === 0 ? [] : [`the MAC of ${ifName} follows from its address`]),
    ],
  }
}

/** What addresses on this node come from. Throws ConfigError when the node has no part of the network. */
function subnetsOn({ name, topology, subnets }: SecondaryNetwork, { node }: PreviewFacts): readonly string[] {
  if (topology !== 'layer3') return subnets.map(({ cidr }) => cidr)
  const own = findNodeSubnets(node, name)
  if (own.length > 0) return own
  throw new ConfigError(`node ${node.metadata.name}`, `has no part of network "${name}" yet`, {
    fix: 'Start the controller, or wait until it has given the node one.',
  })
}

/** Those asked for, else the first that a pod may get. Throws AddressUnavailableError. */
function addressesOf(network: SecondaryNetwork, subnets: readonly string[], asked: readonly string[]): string[] {
  if (subnets.length === 0) return asked.map((text) => withLength(text, []))
  const pools = new AddressPools()
  pools.set(owner, subnets, {
    of: network.topology === 'layer3' ? 'node' : 'network',
    excluded: network.excludeSubnets,
  })
  return asked.length > 0 ? pools.claim(owner, owner, asked) : pools.allocate(owner, owner)
}
