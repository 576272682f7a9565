import { isDeepStrictEqual } from 'node:util'
import { ConfigError, TwinlaneError } from '../../../base/errors.ts'
import { type Cidr, cidrCovers, cidrsOverlap, formatCidr, parseCidr } from '../../../base/ip.ts'
import { parseConfigList } from '../../../cni/config.ts'
import { keyOf } from '../../../kube/resources/meta.ts'
import type { NetworkAttachmentDefinition } from '../../../kube/resources/net-attach-def.ts'
import { type OvnConfig, ovnTypes, parseOvnConfig } from '../config.ts'
import { networkPrefix } from './names.ts'
import type { SecondaryNetwork } from './net-conf.ts'

/** What the definitions of the cluster amount to. */
export interface NetworkSet {
  /** By the name of the network. */
  readonly networks: ReadonlyMap<string, SecondaryNetwork>
  /** The network of a definition, by `<namespace>/<name>`. */
  readonly byNad: ReadonlyMap<string, SecondaryNetwork>
  /** Definitions of secondary networks that cannot be used. */
  readonly refusals: readonly Refusal[]
}

export interface Refusal {
  readonly nad: NetworkAttachmentDefinition
  readonly reason: string
}

/** A prefix that has another use, and what for. */
export interface ReservedPrefix {
  readonly cidr: string
  readonly what: string
}

/**
 * Secondary networks as their definitions describe them. Definitions of one network must agree; the oldest is right.
 * What overlaps a prefix of the cluster is refused, unless that part is excluded from the network.
 */
export function collectNetworks(
  nads: readonly NetworkAttachmentDefinition[],
  reserved: readonly ReservedPrefix[],
): NetworkSet {
  const set = { networks: new Map<string, SecondaryNetwork>(), byNad: new Map(), refusals: [] as Refusal[] }
  for (const nad of [...nads].sort(byAge)) {
    try {
      const network = readNetwork(nad)
      if (network === undefined) continue
      refuseConflict(network, [...set.networks.values()])
      refuseOverlap(network, reserved)
      set.networks.set(network.name, network)
      set.byNad.set(keyOf(nad), network)
    } catch (error) {
      if (!(error instanceof TwinlaneError)) throw error
      set.refusals.push({ nad, reason: error.fix === undefined ? error.message : `${error.message}. ${error.fix}` })
    }
  }
  return set
}

/** Undefined for a definition of something else. Throws ConfigError and CniError. */
function readNetwork(nad: NetworkAttachmentDefinition): SecondaryNetwork | undefined {
  const config = findOvnConfig(nad)
  if (config?.secondary !== undefined) refuseOtherName(config, keyOf(nad))
  return config?.secondary
}

/** The configuration of a definition of our type; undefined for any other. Throws ConfigError when it is wrong. */
export function findOvnConfig(nad: NetworkAttachmentDefinition): OvnConfig | undefined {
  const text = nad.spec?.config
  if (text === undefined || !ovnTypes.some((type) => text.includes(`"${type}"`))) return undefined
  const list = parseConfigList(text, { defaultName: nad.metadata.name })
  return (ovnTypes as readonly string[]).includes(list.plugins[0]?.type ?? '') ? parseOvnConfig(list) : undefined
}

/** `nad` is where the configuration is. Throws ConfigError when it says another place of itself. */
export function refuseOtherName({ networkKey }: Pick<OvnConfig, 'networkKey'>, nad: string): void {
  if (networkKey === nad) return
  throw new ConfigError('netAttachDefName', `"${networkKey}" is not ${nad}, where this configuration is`, {
    fix: `Write "netAttachDefName": "${nad}".`,
  })
}

function refuseConflict(network: SecondaryNetwork, others: readonly SecondaryNetwork[]): void {
  for (const other of others) {
    if (other.name === network.name && !isDeepStrictEqual(other, network)) {
      throw new ConfigError('name', `network "${network.name}" is described otherwise by an older definition`, {
        fix: 'Give this network another name, or make both configurations equal.',
      })
    }
    if (other.name !== network.name && networkPrefix(other.name) === networkPrefix(network.name)) {
      throw new ConfigError('name', `"${network.name}" has the same names in OVN as network "${other.name}"`, {
        fix: 'Choose a name that differs in more than "-", "." and "/".',
      })
    }
  }
}

function refuseOverlap({ subnets, excludeSubnets }: SecondaryNetwork, reserved: readonly ReservedPrefix[]): void {
  const excluded = excludeSubnets.map((text) => parseCidr(text))
  for (const { cidr, what } of reserved) {
    const taken = parseCidr(cidr)
    for (const subnet of subnets.map((each) => parseCidr(each.cidr))) {
      if (!cidrsOverlap(subnet, taken) || excluded.some((part) => cidrCovers(part, smallerOf(subnet, taken)))) continue
      throw new ConfigError('subnets', `${formatCidr(subnet)} overlaps ${what} ${cidr}`, {
        fix: 'Choose another prefix, or exclude that part with excludeSubnets.',
      })
    }
  }
}

/** Of two prefixes that overlap one lies inside the other. */
function smallerOf(a: Cidr, b: Cidr): Cidr {
  return a.prefixLength > b.prefixLength ? a : b
}

function byAge(a: NetworkAttachmentDefinition, b: NetworkAttachmentDefinition): number {
  const rank = (nad: NetworkAttachmentDefinition): string => `${nad.metadata.creationTimestamp ?? ''} ${keyOf(nad)}`
  return rank(a) < rank(b) ? -1 : 1
}
