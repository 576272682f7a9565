import * as z from 'zod'
import {
  bigintToAddress,
  type Cidr,
  cidrContains,
  familyOf,
  hostPrefixOf,
  isAddress,
  parseCidr,
} from '../../base/ip.ts'
import { parseSchema } from '../../base/parse-schema.ts'
import type { CniIp, CniResult, CniRoute } from '../../cni/result.ts'
import type { AddressRequest } from '../driver.ts'
import { parseRoutedConfig, type RoutedConfig } from './config.ts'
import { poolCidr, poolOf } from './ipam/pools.ts'
import type { IPPool } from './resources.ts'

const address = z.string().refine(isAddress, 'is not an address')
const prefix = z.string().refine(isPrefix, 'is not a prefix')

/** What goes into the result as it is. The keys are host-local's; Calico's plugin has none of them. */
const extrasSchema = z.looseObject({
  gateway: address.optional(),
  routes: z.array(z.looseObject({ dst: prefix, gw: address.optional() })).default([]),
})

/** The part `ipam` of another plugin's configuration. */
export interface IpamPluginConfig {
  readonly routed: RoutedConfig
  readonly gateway: string | undefined
  readonly routes: readonly CniRoute[]
  /** Addresses that the attachment is to have and no others. */
  readonly ips: readonly string[] | undefined
}

/** Throws ConfigError naming the field. */
export function parseIpamPlugin({ config, args }: Pick<AddressRequest, 'config' | 'args'>): IpamPluginConfig {
  const { cniVersion, name, type, ipam } = config
  const routed = parseRoutedConfig({ cniVersion, name, plugins: [{ cniVersion, name, type, ipam }] })
  const { gateway, routes } = parseSchema(extrasSchema, ipam ?? {}, { where: 'ipam' })
  return { routed, gateway, routes: routes.map(toRoute), ips: requestedIps({ config, args }) }
}

/** As the reference plugins: `runtimeConfig.ips` goes before `args.cni.ips`, and that before IP in CNI_ARGS. */
function requestedIps({ config, args }: Pick<AddressRequest, 'config' | 'args'>): string[] | undefined {
  const lists = [config.runtimeConfig?.ips, config.args?.cni?.ips, args.IP?.split(',').filter((text) => text !== '')]
  return lists.find((list): list is unknown[] => Array.isArray(list) && list.length > 0)?.map(String)
}

/** Plugins take the gateway for a route that has none, but their CHECK then misses the route as it was given. */
function viaGateway(route: CniRoute, gateway: string | undefined): CniRoute {
  const isOfFamily = gateway !== undefined && familyOf(gateway) === parseCidr(route.dst).family
  return route.gw === undefined && isOfFamily ? { ...route, gw: gateway } : route
}

function toRoute({ dst, gw }: { dst: string; gw?: string | undefined }): CniRoute {
  return gw === undefined ? { dst } : { dst, gw }
}

/**
 * Of a pool that is the subnet of a link, some addresses are no host's: the network's own, the broadcast address, and
 * the gateway, by custom the first. Whoever asks for one gets it.
 */
export function avoidedPrefixes(pools: readonly IPPool[], gateway: string | undefined): Cidr[] {
  return pools.flatMap((pool) => {
    const { first, last, family, prefixLength } = poolCidr(pool)
    const hostBits = (family === 4 ? 32 : 128) - prefixLength
    if (hostBits < 2) return []
    const own =
      gateway !== undefined && cidrContains(poolCidr(pool), gateway) ? gateway : bigintToAddress(first + 1n, family)
    const ends = family === 4 ? [first, last] : [first]
    return [own, ...ends.map((value) => bigintToAddress(value, family))].map((text) => parseCidr(hostPrefixOf(text)))
  })
}

/**
 * The addresses with the prefix length of their pool: the plugin's network is one link, on which all of the pool are
 * neighbours. (Calico gives the length of a node's block.)
 */
export function ipamResult(
  addresses: readonly string[],
  { gateway, routes }: Pick<IpamPluginConfig, 'gateway' | 'routes'>,
  pools: readonly IPPool[],
): CniResult {
  const ips = addresses.map((text): CniIp => {
    const pool = poolOf(pools, text)
    const subnet = pool === undefined ? hostPrefixOf(text) : `${text}/${poolCidr(pool).prefixLength}`
    const isOfFamily = gateway !== undefined && familyOf(gateway) === familyOf(text)
    return { address: subnet, ...(isOfFamily ? { gateway } : {}) }
  })
  return { interfaces: [], ips, routes: routes.map((route) => viaGateway(route, gateway)), dns: {} }
}

function isPrefix(text: string): boolean {
  try {
    return parseCidr(text) !== undefined
  } catch {
    return false
  }
}
