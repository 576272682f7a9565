import * as z from 'zod'
import { ConfigError } from '../../base/errors.ts'
import { isAddress } from '../../base/ip.ts'
import { parseSchema } from '../../base/parse-schema.ts'
import type { NetworkConfigList } from '../../cni/request.ts'
import type { ConfigFacts } from '../driver.ts'
import type { NodePool } from './ipam/node-subnets.ts'
import { parseSecondaryNetwork, type SecondaryNetwork, secondaryShape } from './secondary/net-conf.ts'
import {
  checkFamilies,
  checkHostPrefixes,
  checkPrefixes,
  checkTls,
  commaSeparated,
  parseNetCidr,
} from './settings-checks.ts'

/** Values of `type` in a CNI configuration that the OVN network serves; the first is its own. */
export const ovnTypes = ['twinlane-ovn', 'ovn-k8s-cni-overlay'] as const

const address = z.string().refine(isAddress, 'must be an IP address')
const addresses = z
  .string()
  .transform(commaSeparated)
  .refine((list) => list.every(isAddress), 'must be IP addresses, one a family, separated by a comma')
const remote = z.string().regex(/^((tcp|ssl|unix):[^,]+)(,(tcp|ssl|unix):[^,]+)*$/, 'must be like tcp:192.0.2.1:6641')

const settingsSchema = z.strictObject({
  netCidr: z.string().default('10.128.0.0/14/23'),
  svcCidr: z.string().default('172.30.0.0/16'),
  gatewayMode: z.enum(['local', 'shared']).default('local'),
  gatewayInterface: z
    .string()
    .regex(/^[^\s/]{1,13}$/, 'must be an interface name of at most 13 characters: the bridge gets "br" before it')
    .optional(),
  gatewayNextHop: addresses.optional(),
  hostCidrs: z.array(z.string()).default([]),
  multicastEnabled: z.boolean().default(false),
  disableSnatMultipleGateways: z.boolean().default(false),
  disablePacketMtuCheck: z.boolean().default(false),
  encapType: z.enum(['vxlan', 'geneve']).default('geneve'),
  encapIp: address.optional(),
  mtuBytes: z.int().min(576).max(65_535).default(1400),
  attachTimeoutMs: z.int().min(1000).max(100_000).default(30_000),
  tls: z.strictObject({ privateKey: z.string(), certificate: z.string(), caCertificate: z.string() }).optional(),
  northbound: remote,
  southbound: remote,
  datapathType: z.enum(['auto', 'system', 'netdev']).default('auto'),
})

/** What holds for the OVN network on every node: OvnSettingsFile with its defaults filled in. */
export interface OvnSettings extends Omit<z.infer<typeof settingsSchema>, 'netCidr' | 'svcCidr' | 'gatewayNextHop'> {
  /** Where nodes' subnets come from, in this order. */
  readonly nodePools: readonly NodePool[]
  /** Their prefixes: those of all pods. */
  readonly netCidrs: readonly string[]
  /** Prefixes of the services, one a family at most. */
  readonly svcCidrs: readonly string[]
  /** One a family at most; those that lack are the default routes' of the gateway interface. */
  readonly gatewayNextHops: readonly string[]
}

/** Throws ConfigError naming the field. */
export function parseOvnSettings(raw: unknown): OvnSettings {
  const file = parseSchema(settingsSchema, raw ?? {}, { where: 'networks.ovn' })
  const { netCidr, svcCidr, gatewayNextHop, ...rest } = file
  const nodePools = commaSeparated(netCidr).map(parseNetCidr)
  const netCidrs = nodePools.map(({ cidr }) => cidr)
  const settings = {
    ...rest,
    nodePools,
    netCidrs,
    svcCidrs: commaSeparated(svcCidr),
    gatewayNextHops: gatewayNextHop ?? [],
  }
  checkHostPrefixes(nodePools)
  checkFamilies(settings)
  checkPrefixes(settings)
  checkTls(settings)
  if (settings.gatewayMode === 'shared' && settings.gatewayInterface === undefined) {
    throw new ConfigError('networks.ovn.gatewayMode', 'shared needs a gatewayInterface: pods leave through it', {
      fix: 'name the interface, or write gatewayMode: local',
    })
  }
  return settings
}

// The keys of ovn-k8s-cni-overlay that this version understands; the log keys are the shim's of upstream.
const configSchema = z.looseObject({
  mtu: z.int().min(576).max(65_535).optional(),
  ...secondaryShape,
  ipam: z.looseObject({ type: z.string().optional() }).optional(),
  dns: z.looseObject({}).optional(),
  logFile: z.string().optional(),
  logLevel: z.string().optional(),
  'logfile-maxsize': z.number().optional(),
  'logfile-maxbackups': z.number().optional(),
  'logfile-maxage': z.number().optional(),
})

/** Keys of a configuration that mean something here or to upstream. */
export const ovnConfigKeys: readonly string[] = Object.keys(configSchema.shape)

/** One CNI configuration of type `ovn-k8s-cni-overlay` or `twinlane-ovn`. */
export type OvnConfig = z.infer<typeof configSchema> & {
  /** Key in the annotation k8s.ovn.org/pod-networks: `default`, or `<namespace>/<name>` of the NAD of a secondary network. */
  readonly networkKey: string
  /** Absent: a configuration without `topology` is the cluster's own network. */
  readonly secondary?: SecondaryNetwork | undefined
}

/** Throws ConfigError naming the field. */
export function parseOvnConfig(list: NetworkConfigList): OvnConfig {
  const [plugin, ...chained] = list.plugins
  if (chained.length > 0) throw new ConfigError('plugins', 'the OVN network cannot be chained with other plugins')
  const config = parseSchema(configSchema, plugin ?? {}, { where: 'plugins[0]' })
  if (config.ipam?.type !== undefined) {
    throw new ConfigError('plugins[0].ipam.type', 'addresses come from OVN, not from a plugin', { fix: 'remove it' })
  }
  if (config.topology === undefined) return { ...config, networkKey: 'default' }
  const secondary = parseSecondaryNetwork(list.name, config, 'plugins[0]')
  return { ...config, networkKey: nadOf(config.netAttachDefName), secondary }
}

/** What is known of a configuration before there is an attachment. */
export function describeOvnConfig({ secondary, networkKey }: OvnConfig): ConfigFacts {
  if (secondary === undefined) return { subnets: [], hasSubnetPerNode: true }
  return {
    subnets: secondary.subnets.map(({ cidr }) => cidr),
    hasSubnetPerNode: secondary.topology === 'layer3',
    identity: secondary,
    definition: networkKey,
  }
}

/** A secondary network is known to pods by its definition, and a configuration does not know where it was read. */
function nadOf(text: string | undefined): string {
  if (text !== undefined && /^[^/]+\/[^/]+$/.test(text)) return text
  throw new ConfigError(
    'plugins[0].netAttachDefName',
    text === undefined ? 'is missing' : `"${text}" is no such name`,
    {
      fix: 'Write <namespace>/<name> of the NetworkAttachmentDefinition that holds this configuration.',
    },
  )
}
