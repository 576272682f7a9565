import * as z from 'zod'
import { ConfigError } from '../../base/errors.ts'
import { AddressError, type Family, parseCidr } from '../../base/ip.ts'
import { parseSchema } from '../../base/parse-schema.ts'
import type { NetworkConfigList } from '../../cni/request.ts'

const cidr = z.string().superRefine((value, context) => {
  try {
    parseCidr(value, { strict: true })
  } catch (error) {
    if (!(error instanceof AddressError)) throw error
    context.addIssue({ code: 'custom', message: error.message })
  }
})

const encapsulationMode = z.enum(['Never', 'Always', 'CrossSubnet'])

const settingsSchema = z.strictObject({
  ipPoolCidr: cidr.default('192.168.0.0/16'),
  blockSize: z.int().min(20).max(32).default(26),
  natOutgoing: z.boolean().default(true),
  ipipMode: encapsulationMode.default('Never'),
  vxlanMode: encapsulationMode.default('Never'),
  ipv6PoolCidr: cidr.optional(),
  ipv6BlockSize: z.int().min(116).max(128).default(122),
  ipv6VxlanMode: encapsulationMode.default('Never'),
  ipv6NatOutgoing: z.boolean().default(false),
  ipAutodetectionMethod: z.string().default('first-found'),
  ip6AutodetectionMethod: z.string().optional(),
  mtuBytes: z.int().min(0).max(65_535).default(0),
})

/** What holds for the routed network on every node: RoutedSettingsFile with its defaults filled in. */
export type RoutedSettings = z.infer<typeof settingsSchema>

/** Throws ConfigError naming the field. */
export function parseRoutedSettings(raw: unknown): RoutedSettings {
  const settings = parseSchema(settingsSchema, raw ?? {}, { where: 'networks.routed' })
  checkPool(settings.ipPoolCidr, settings.blockSize, { family: 4, cidr: 'ipPoolCidr', blockSize: 'blockSize' })
  if (settings.ipipMode !== 'Never' && settings.vxlanMode !== 'Never') {
    throw new ConfigError('networks.routed.ipipMode', 'cannot be set together with vxlanMode', {
      fix: 'set one of the two to Never',
    })
  }
  if (settings.ipv6PoolCidr !== undefined) {
    const fields = { family: 6, cidr: 'ipv6PoolCidr', blockSize: 'ipv6BlockSize' } as const
    checkPool(settings.ipv6PoolCidr, settings.ipv6BlockSize, fields)
  }
  return settings
}

function checkPool(text: string, blockSize: number, names: { family: Family; cidr: string; blockSize: string }): void {
  const { family, prefixLength } = parseCidr(text)
  if (family !== names.family) {
    throw new ConfigError(`networks.routed.${names.cidr}`, `${text} is not a prefix of IPv${names.family}`)
  }
  if (prefixLength > blockSize) {
    throw new ConfigError(
      `networks.routed.${names.blockSize}`,
      `a block of /${blockSize} is larger than the pool ${text}`,
      { fix: `make ${names.blockSize} at least as long as the prefix of ${names.cidr}` },
    )
  }
}

const addressName = z.array(z.string().min(1))

// Texts because Calico's own conflist writes them so.
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')])

/** Values of `ipam.type` that mean the routed network's pools, also in the configuration of another plugin. */
export const routedIpamTypes: readonly string[] = ['calico-ipam', 'twinlane-ipam']

const ipamSchema = z.looseObject({
  type: z.string().min(1).default('calico-ipam'),
  /** Absent: yes, unless the settings turn IPv4 off. */
  assign_ipv4: flag.optional(),
  /** Absent: as the settings have an IPv6 pool or not. */
  assign_ipv6: flag.optional(),
  ipv4_pools: addressName.default([]),
  ipv6_pools: addressName.default([]),
})

const featureSchema = z.looseObject({ ip_addrs_no_ipam: flag.default(false), floating_ips: flag.default(false) })

const configSchema = z.looseObject({
  mtu: z.int().min(0).max(65_535).default(0),
  ipam: ipamSchema.prefault({}),
  feature_control: featureSchema.prefault({}),
})

/** Keys of a configuration that mean something here, and those of Calico's own file, which mean nothing here. */
export const routedConfigKeys: readonly string[] = [
  ...Object.keys(configSchema.shape),
  ...['log_level', 'log_file_path', 'datastore_type', 'nodename', 'nodename_file_optional', 'policy', 'kubernetes'],
  ...['container_settings', 'include_default_routes'],
]

/** One CNI configuration of type `calico` or `twinlane-routed` (as Calico does). Unknown keys are kept. */
export type RoutedConfig = z.infer<typeof configSchema> & {
  /** Name of the network, first part of every IPAM handle, e.g. `k8s-pod-network`. */
  readonly networkName: string
  /** Where the addresses are those of another plugin, e.g. host-local: the configuration that it gets. */
  readonly ipamPlugin?: NetworkConfigList
}

/** Throws ConfigError naming the field. */
export function parseRoutedConfig(list: NetworkConfigList): RoutedConfig {
  const plugin = list.plugins[0]
  if (plugin === undefined) throw new ConfigError('plugins', 'is empty', { fix: 'name one plugin' })
  const config = { ...parseSchema(configSchema, plugin, { where: 'plugins[0]' }), networkName: list.name }
  if (!routedIpamTypes.includes(config.ipam.type)) return { ...config, ipamPlugin: { ...list, plugins: [plugin] } }
  if (config.ipam.assign_ipv4 === false && config.ipam.assign_ipv6 !== true) {
    throw new ConfigError('plugins[0].ipam.assign_ipv4', 'is false and assign_ipv6 is not true: no address at all', {
      fix: 'set one of them to true',
    })
  }
  return config
}
