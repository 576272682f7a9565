import { ConfigError } from '../../base/errors.ts'
import type { AttachmentPreview, PreviewFacts } from '../driver.ts'
import { findNodeSubnets, findPodNetwork, type PodNetwork } from './annotations.ts'
import { buildPodNetwork, macFor } from './cluster/pod-rows.ts'
import type { OvnConfig, OvnSettings } from './config.ts'
import { AddressPools } from './ipam/address-pools.ts'
import { describeInterface, resultOf } from './node/pod-interface.ts'
import { previewSecondary } from './preview-secondary.ts'
import { familiesOf } from './topology/names.ts'

const owner = 'preview'

/** What controller and agent will make on this node, by the functions that they use. Throws ConfigError. */
export async function previewOvn(
  config: OvnConfig,
  settings: OvnSettings,
  facts: PreviewFacts,
): Promise<AttachmentPreview> {
  if (config.secondary !== undefined)
    return previewSecondary({ ...config, secondary: config.secondary }, settings, facts)
  const { ifName, isDefault, requested, pod, node } = facts
  const subnets = findNodeSubnets(node, config.networkKey)
  if (subnets.length === 0) {
    throw new ConfigError(`node ${node.metadata.name}`, 'has no subnet of the OVN network yet', {
      fix: 'Start the controller, or wait until it has given the node one.',
    })
  }
  const asked = requested.ips ?? []
  const given = findPodNetwork(pod, config.networkKey)
  const network = given ?? networkOf(facts, subnets, settings)
  const mtuBytes = config.mtu ?? settings.mtuBytes
  const attachment = { containerId: '', ifName, netns: '', isDefault, pod: { namespace: '', name: '' }, config }
  const pair = describeInterface(attachment, network, mtuBytes)
  const isCertain = given !== undefined || asked.length > 0
  const isMacCertain = isCertain || requested.mac !== undefined
  return {
    result: resultOf(pair),
    ranges: isCertain ? [] : subnets,
    mac: isMacCertain ? pair.mac : undefined,
    mtuBytes,
    notes: isMacCertain ? [] : [`the MAC of ${ifName} is 0a:58 and the four bytes of its ${addressKind(subnets)}`],
    prefixes: { pods: settings.netCidrs, services: settings.svcCidrs },
  }
}

function networkOf(
  { requested, isDefault }: PreviewFacts,
  subnets: readonly string[],
  settings: OvnSettings,
): PodNetwork {
  const addresses = addressesOf(subnets, requested.ips ?? [])
  const place = { namespace: '', name: '', node: '', uid: '', addresses, mac: macFor(addresses, requested.mac) }
  return buildPodNetwork(place, { ...settings, defaultFamilies: isDefault ? [4, 6] : [] })
}

function addressKind(subnets: readonly string[]): string {
  const [first, ...more] = familiesOf(subnets)
  if (first === 6) return "address's SHA-256"
  return more.length > 0 ? 'IPv4 address' : 'address'
}

/** Those asked for, else the first that a pod may get. Throws AddressUnavailableError. */
function addressesOf(subnets: readonly string[], asked: readonly string[]): string[] {
  const pools = new AddressPools()
  pools.set(owner, subnets, { of: 'node' })
  return asked.length > 0 ? pools.claim(owner, owner, asked) : pools.allocate(owner, owner)
}
