import * as z from 'zod'
import { ConfigError } from '../../base/errors.ts'
import { AddressError, cidrsOverlap, isAddress, parseCidr } from '../../base/ip.ts'
import { parseSchema } from '../../base/parse-schema.ts'
import type { NetworkConfigList } from '../../cni/request.ts'
import { joinCidr, masqueradeCidr } from './topology/names.ts'

/** Values of `type` in a CNI configuration that the OVN network serves; the first is its own. */
export const ovnTypes = ['twinlane-ovn', 'ovn-k8s-cni-overlay'] as const

const address = z.string().refine(isAddress, 'must be an IP address')
const remote = z.string().regex(/^((tcp|ssl|unix):[^,]+)(,(tcp|ssl|unix):[^,]+)*$/, 'must be like tcp:192.0.2.1:6641')

const settingsSchema = z.strictObject({
  netCidr: z.string().default('10.128.0.0/14/23'),
  svcCidr: z.string().default('172.30.0.0/16'),
  gatewayMode: z.enum(['local', 'shared']).default('local'),
  gatewayInterface: z
    .string()
    .regex(/^[^\s/]{1,13}$/, 'must be an interface name of at most 13 characters: the bridge gets "br" before it')
    .optional(),
  gatewayNextHop: address.optional(),
  multicastEnabled: z.boolean().default(false),
  disableSnatMultipleGateways: z.boolean().default(false),
  disablePacketMtuCheck: z.boolean().default(false),
  encapType: z.enum(['vxlan', 'geneve']).default('geneve'),
  encapIp: address.optional(),
  mtuBytes: z.int().min(576).max(65_535).default(1400),
  northbound: remote,
  southbound: remote,
  datapathType: z.enum(['auto', 'system', 'netdev']).default('auto'),
})

/** What holds for the OVN network on every node: OvnSettingsFile with its defaults filled in. */
export interface OvnSettings extends Omit<z.infer<typeof settingsSchema>, 'netCidr'> {
  /** Canonical prefix of all pods. */
  readonly netCidr: string
  /** Prefix length of a node's subnet. */
  readonly hostPrefix: number
}

/** Throws ConfigError naming the field. */
export function parseOvnSettings(raw: unknown): OvnSettings {
  const file = parseSchema(settingsSchema, raw ?? {}, { where: 'networks.ovn' })
  const settings = { ...file, ...parseNetCidr(file.netCidr) }
  checkPrefixes(settings)
  if (settings.gatewayMode === 'shared') {
    throw new ConfigError('networks.ovn.gatewayMode', 'shared is not supported yet', {
      fix: 'write gatewayMode: local',
    })
  }
  return settings
}

// The keys of ovn-k8s-cni-overlay that this version understands; the log keys are the shim's of upstream.
const configSchema = z.looseObject({
  mtu: z.int().min(576).max(65_535).optional(),
  topology: z.string().optional(),
  netAttachDefName: z.string().optional(),
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
  /** Key in the annotation k8s.ovn.org/pod-networks. A configuration without `topology` is the cluster's own network. */
  readonly networkKey: 'default'
}

/** Throws ConfigError naming the field. */
export function parseOvnConfig(list: NetworkConfigList): OvnConfig {
  const [plugin, ...chained] = list.plugins
  if (chained.length > 0) throw new ConfigError('plugins', 'the OVN network cannot be chained with other plugins')
  const config = parseSchema(configSchema, plugin ?? {}, { where: 'plugins[0]' })
  if (config.topology !== undefined) {
    throw new ConfigError('plugins[0].topology', `"${config.topology}" is not supported yet`, {
      fix: 'leave topology out to attach the cluster network of OVN',
    })
  }
  if (config.ipam?.type !== undefined) {
    throw new ConfigError('plugins[0].ipam.type', 'addresses come from OVN, not from a plugin', { fix: 'remove it' })
  }
  return { ...config, networkKey: 'default' }
}

function parseNetCidr(text: string): { netCidr: string; hostPrefix: number } {
  const [, prefix, host] = /^([^/]+\/\d+)(?:\/(\d+))?$/.exec(text) ?? []
  const field = 'networks.ovn.netCidr'
  if (prefix === undefined) throw new ConfigError(field, `"${text}" is not like 10.144.0.0/16 or 10.144.0.0/16/24`)
  const cidr = strictCidr(field, prefix)
  const hostPrefix = Number(host ?? 24)
  if (hostPrefix <= cidr.prefixLength || hostPrefix > 29) {
    throw new ConfigError(field, `a node's subnet of /${hostPrefix} does not fit into ${prefix}`, {
      fix: 'write the host prefix after a second slash, longer than the prefix and at most 29',
    })
  }
  return { netCidr: prefix, hostPrefix }
}

function checkPrefixes(settings: { netCidr: string; svcCidr: string }): void {
  const services = strictCidr('networks.ovn.svcCidr', settings.svcCidr)
  const named = [
    ['svcCidr', services],
    ['the join network', parseCidr(joinCidr)],
    ['the masquerade network', parseCidr(masqueradeCidr)],
  ] as const
  for (const [name, cidr] of named) {
    if (cidrsOverlap(cidr, parseCidr(settings.netCidr))) {
      throw new ConfigError('networks.ovn.netCidr', `${settings.netCidr} overlaps ${name}`, { fix: 'choose another' })
    }
  }
}

function strictCidr(field: string, text: string): ReturnType<typeof parseCidr> {
  try {
    const cidr = parseCidr(text, { strict: true })
    if (cidr.family === 6) throw new ConfigError(field, 'IPv6 is not supported yet')
    return cidr
  } catch (error) {
    if (error instanceof AddressError) throw new ConfigError(field, error.message, { cause: error })
    throw error
  }
}
