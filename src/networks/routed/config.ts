import * as z from 'zod'
import { ConfigError } from '../../base/errors.ts'
import { AddressError, parseCidr } from '../../base/ip.ts'
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

const settingsSchema = z.strictObject({
  ipPoolCidr: cidr.default('192.168.0.0/16'),
  blockSize: z.int().min(20).max(32).default(26),
  natOutgoing: z.boolean().default(true),
  ipAutodetectionMethod: z.string().default('first-found'),
  mtuBytes: z.int().min(0).max(65_535).default(0),
})

/** What holds for the routed network on every node: RoutedSettingsFile with its defaults filled in. */
export type RoutedSettings = z.infer<typeof settingsSchema>

/** Throws ConfigError naming the field. */
export function parseRoutedSettings(raw: unknown): RoutedSettings {
  const settings = parseSchema(settingsSchema, raw ?? {}, { where: 'networks.routed' })
  if (parseCidr(settings.ipPoolCidr).prefixLength > settings.blockSize) {
    throw new ConfigError(
      'networks.routed.blockSize',
      `a block of /${settings.blockSize} is larger than the pool ${settings.ipPoolCidr}`,
      { fix: 'make blockSize at least as long as the prefix of ipPoolCidr' },
    )
  }
  return settings
}

const addressName = z.array(z.string().min(1))

const ipamSchema = z.looseObject({
  type: z.enum(['calico-ipam', 'twinlane-ipam']).default('calico-ipam'),
  // Texts because Calico's own conflist writes them so.
  assign_ipv4: z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')]).default(true),
  ipv4_pools: addressName.default([]),
})

const configSchema = z.looseObject({
  mtu: z.int().min(0).max(65_535).default(0),
  ipam: ipamSchema.default({ type: 'calico-ipam', assign_ipv4: true, ipv4_pools: [] }),
})

/** Keys of a configuration that mean something here, and those of Calico's own file, which mean nothing here. */
export const routedConfigKeys: readonly string[] = [
  ...Object.keys(configSchema.shape),
  ...['log_level', 'log_file_path', 'datastore_type', 'nodename', 'nodename_file_optional', 'policy', 'kubernetes'],
  ...['container_settings', 'feature_control', 'include_default_routes'],
]

/** One CNI configuration of type `calico` or `twinlane-routed` (as Calico does). Unknown keys are kept. */
export type RoutedConfig = z.infer<typeof configSchema> & {
  /** Name of the network, first part of every IPAM handle, e.g. `k8s-pod-network`. */
  readonly networkName: string
}

/** Throws ConfigError naming the field. */
export function parseRoutedConfig(list: NetworkConfigList): RoutedConfig {
  const plugin = list.plugins[0]
  if (plugin === undefined) throw new ConfigError('plugins', 'is empty', { fix: 'name one plugin' })
  const config = { ...parseSchema(configSchema, plugin, { where: 'plugins[0]' }), networkName: list.name }
  if (!config.ipam.assign_ipv4) {
    throw new ConfigError('plugins[0].ipam.assign_ipv4', 'must be true: the routed network gives out IPv4 addresses')
  }
  return config
}
