import * as z from 'zod'
import { ConfigError } from '../../../base/errors.ts'
import { AddressError, type Cidr, cidrCovers, formatCidr, parseCidr } from '../../../base/ip.ts'

export const topologies = ['layer2', 'layer3', 'localnet'] as const
export type Topology = (typeof topologies)[number]

/** Keys of a configuration with a topology (knowledge of OVN-Kubernetes' NetConf), beside those of every configuration. */
export const secondaryShape = {
  topology: z.string().optional(),
  netAttachDefName: z.string().optional(),
  role: z.string().optional(),
  subnets: z.string().optional(),
  excludeSubnets: z.string().optional(),
  joinSubnet: z.string().optional(),
  vlanID: z.int().min(0).max(4094, 'must be a VLAN ID, 1 to 4094, or 0 for none').optional(),
  physicalNetworkName: z.string().optional(),
  allowPersistentIPs: z.boolean().optional(),
}

const schema = z.object({ ...secondaryShape, mtu: z.number().optional() })
type NetConf = z.infer<typeof schema>

/** A network beside the cluster's own, as its configuration describes it. */
export interface SecondaryNetwork {
  /** Name of the network; several NetworkAttachmentDefinitions may be of one network. */
  readonly name: string
  readonly topology: Topology
  /** At most one a family, of layer 3 any number; none: the network gives out no addresses. */
  readonly subnets: readonly SecondarySubnet[]
  /** Prefixes inside the subnets that are never given out. */
  readonly excludeSubnets: readonly string[]
  readonly mtuBytes: number | undefined
  /** Tag of its packets on the physical network. */
  readonly vlanId: number | undefined
  /** Localnet only: which of a node's bridge mappings leads to its physical network. */
  readonly physicalNetwork: string | undefined
  readonly allowsPersistentIps: boolean
}

export interface SecondarySubnet {
  readonly cidr: string
  /** Layer 3: prefix length of a node's part. */
  readonly hostPrefix: number | undefined
}

/** `where` is the path of the configuration. Throws ConfigError naming the field. */
export function parseSecondaryNetwork(name: string, config: NetConf, where: string): SecondaryNetwork {
  const at = (key: keyof NetConf): string => `${where}.${key}`
  const topology = parseTopology(config.topology, at('topology'))
  checkRole(config, topology, at)
  refuseOutside(config, topology, at)
  const subnets = parseSubnets(config.subnets, topology, at('subnets'))
  return {
    name,
    topology,
    subnets,
    excludeSubnets: parseExcluded(config.excludeSubnets, subnets, at('excludeSubnets')),
    mtuBytes: config.mtu,
    vlanId: config.vlanID === 0 ? undefined : config.vlanID,
    physicalNetwork: topology === 'localnet' ? config.physicalNetworkName || name : undefined,
    allowsPersistentIps: config.allowPersistentIPs === true && subnets.length > 0,
  }
}

function parseTopology(text: string | undefined, field: string): Topology {
  const found = topologies.find((topology) => topology === text)
  if (found !== undefined) return found
  throw new ConfigError(field, `"${text}" is no topology of OVN`, {
    fix: `Write one of ${topologies.join(', ')}, or leave topology out to attach the cluster network of OVN.`,
  })
}

type At = (key: keyof NetConf) => string

function checkRole({ role }: NetConf, topology: Topology, at: At): void {
  if (role === undefined || role === '' || role === 'secondary') return
  if (role !== 'primary') throw new ConfigError(at('role'), `"${role}" is neither primary nor secondary`)
  if (topology === 'localnet') throw new ConfigError(at('role'), 'a localnet network can only be secondary')
  throw new ConfigError(at('role'), 'primary networks are not supported: eth0 belongs to the routed network', {
    fix: 'Write role: secondary, or leave it out.',
  })
}

/** Keys that mean something in other topologies only. */
function refuseOutside(config: NetConf, topology: Topology, at: At): void {
  const refuse = (key: keyof NetConf): never => {
    throw new ConfigError(at(key), `has no meaning in topology ${topology}`, { fix: 'Remove it.' })
  }
  if (topology !== 'localnet') {
    if (config.vlanID !== undefined && config.vlanID !== 0) refuse('vlanID')
    if (config.physicalNetworkName) refuse('physicalNetworkName')
  } else if (config.joinSubnet) refuse('joinSubnet')
  if (topology !== 'layer3') return
  if (config.excludeSubnets) refuse('excludeSubnets')
  if (config.allowPersistentIPs === true) refuse('allowPersistentIPs')
}

function parseSubnets(text: string | undefined, topology: Topology, field: string): SecondarySubnet[] {
  const items = listOf(text)
  if (items.length === 0 && topology === 'layer3') {
    throw new ConfigError(field, 'is missing: a layer3 network divides its prefix among the nodes', {
      fix: 'Write a prefix and the length of a node\'s part, e.g. "10.128.0.0/16/24".',
    })
  }
  const subnets = items.map((item) => parseSubnet(item, topology, field))
  if (topology === 'layer3') return subnets
  for (const family of [4, 6]) {
    if (subnets.filter(({ cidr }) => parseCidr(cidr).family === family).length > 1) {
      throw new ConfigError(field, `has more than one IPv${family} prefix`, { fix: 'Keep one for each family.' })
    }
  }
  return subnets
}

function parseSubnet(item: string, topology: Topology, field: string): SecondarySubnet {
  const [, prefix = item, host] = topology === 'layer3' ? (/^([^/]+\/\d+)(?:\/(\d+))?$/.exec(item) ?? []) : []
  const cidr = prefixOf(prefix, field)
  if (topology !== 'layer3') return { cidr: formatCidr(cidr), hostPrefix: undefined }
  const hostPrefix = Number(host ?? (cidr.family === 4 ? 24 : 64))
  if (hostPrefix <= cidr.prefixLength || hostPrefix > (cidr.family === 4 ? 29 : 125)) {
    throw new ConfigError(field, `a node's part of /${hostPrefix} does not fit into ${prefix}`, {
      fix: 'Write the length of a node\'s part after a second slash, e.g. "10.128.0.0/16/24".',
    })
  }
  return { cidr: formatCidr(cidr), hostPrefix }
}

function parseExcluded(text: string | undefined, subnets: readonly SecondarySubnet[], field: string): string[] {
  return listOf(text).map((item) => {
    const excluded = prefixOf(item, field)
    if (subnets.some(({ cidr }) => cidrCovers(parseCidr(cidr), excluded))) return formatCidr(excluded)
    throw new ConfigError(field, `${item} does not lie inside the network's subnets`)
  })
}

function prefixOf(text: string, field: string): Cidr {
  try {
    return parseCidr(text, { strict: true })
  } catch (error) {
    if (error instanceof AddressError) throw new ConfigError(field, error.message, { cause: error })
    throw error
  }
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
