import { ConfigError } from '../../base/errors.ts'
import { bigintToAddress, parseCidr } from '../../base/ip.ts'
import type { AttachmentPreview, PreviewFacts } from '../driver.ts'
import { findNodeSubnet, findPodNetwork } from './annotations.ts'
import { buildPodNetwork, macFor } from './cluster/pod-rows.ts'
import type { OvnConfig, OvnSettings } from './config.ts'
import { describeInterface, resultOf } from './node/pod-interface.ts'
import { previewSecondary } from './preview-secondary.ts'

/** First address of a node's subnet that a pod may get: before it come the network, the router and the node. */
const firstPodOffset = 3n

/** What controller and agent will make on this node, by the functions that they use. Throws ConfigError. */
export async function previewOvn(
  config: OvnConfig,
  settings: OvnSettings,
  facts: PreviewFacts,
): Promise<AttachmentPreview> {
  if (config.secondary !== undefined)
    return previewSecondary({ ...config, secondary: config.secondary }, settings, facts)
  const { ifName, isDefault, requested, pod, node } = facts
  const subnet = findNodeSubnet(node)
  if (subnet === undefined) {
    throw new ConfigError(`node ${node.metadata.name}`, 'has no subnet of the OVN network yet', {
      fix: 'Start the controller, or wait until it has given the node one.',
    })
  }
  const wanted = requested.ips?.[0]?.split('/')[0]
  const address = wanted ?? bigintToAddress(parseCidr(subnet).first + firstPodOffset, 4)
  const mac = macFor(address, requested.mac)
  const place = { namespace: '', name: '', node: node.metadata.name ?? '', uid: '', subnet, address, mac }
  const given = findPodNetwork(pod, config.networkKey)
  const network = given ?? buildPodNetwork(place, { ...settings, ownsDefaultRoute: isDefault })
  const mtuBytes = config.mtu ?? settings.mtuBytes
  const attachment = { containerId: '', ifName, netns: '', isDefault, pod: { namespace: '', name: '' }, config }
  const pair = describeInterface(attachment, network, mtuBytes)
  const isCertain = given !== undefined || wanted !== undefined
  return {
    result: resultOf(pair),
    ranges: isCertain ? [] : [subnet],
    mac: isCertain || requested.mac !== undefined ? pair.mac : undefined,
    mtuBytes,
    notes:
      isCertain || requested.mac !== undefined
        ? []
        : [`the MAC of ${ifName} is 0a:58 and the four bytes of its address`],
    prefixes: { pods: settings.netCidrs, services: [settings.svcCidr] },
  }
}
