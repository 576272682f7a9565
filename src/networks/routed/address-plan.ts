import { type Family, familyOf } from '../../base/ip.ts'
import type { RequestedAttachment } from '../driver.ts'
import type { RoutedConfig, RoutedSettings } from './config.ts'
import { type PodAddressing, sortAddresses } from './pod-annotations.ts'

/** Where one address of an attachment comes from. */
export interface AddressWish {
  readonly family: Family
  /** This one and no other. */
  readonly address?: string | undefined
  /** Names or prefixes of pools; empty: any pool that may be used. */
  readonly pools: readonly string[]
}

export interface AddressPlan {
  /** One a family, IPv4 first. */
  readonly wishes: readonly AddressWish[]
  /** The addresses are taken as they are, without IPAM. */
  readonly isOutsideIpam: boolean
}

/**
 * Which addresses an attachment gets: exactly those that the networks annotation or Calico's `ipAddrs` name; else one
 * of each family that annotation, configuration or settings say. Pure. Throws ConfigError.
 */
export function planAddresses(
  { config, settings }: { config: RoutedConfig; settings: FamilySettings },
  requested: Pick<RequestedAttachment, 'ips'>,
  addressing: PodAddressing,
): AddressPlan {
  const named =
    requested.ips === undefined ? undefined : sortAddresses(requested.ips.map(withoutLength), 'the requested ips')
  const addresses = named ?? addressing.addresses
  if (addresses !== undefined && addresses.length > 0) {
    // A certain address may be in any pool that is enabled; which one is decided by the address.
    const wishes = addresses.map((address) => ({ family: familyOf(address), address, pools: [] }))
    return { wishes, isOutsideIpam: named === undefined && addressing.isOutsideIpam }
  }
  const configured = { 4: config.ipam.ipv4_pools, 6: config.ipam.ipv6_pools }
  const families = addressing.families ?? configuredFamilies(config, settings)
  const wishes = ([4, 6] as const)
    .filter((family) => families.includes(family))
    .map((family) => ({ family, pools: addressing.pools[family] ?? configured[family] }))
  return { wishes, isOutsideIpam: false }
}

type FamilySettings = Pick<RoutedSettings, 'ipv6PoolCidr' | 'ipAutodetectionMethod'>

/** Calico's defaults are on and off; here a node without IPv4 gives none, and one with an IPv6 pool gives that too. */
function configuredFamilies(
  { ipam }: RoutedConfig,
  { ipv6PoolCidr, ipAutodetectionMethod }: FamilySettings,
): readonly Family[] {
  const hasIpv4 = ipam.assign_ipv4 ?? ipAutodetectionMethod !== 'none'
  const hasIpv6 = ipam.assign_ipv6 ?? ipv6PoolCidr !== undefined
  return [...(hasIpv4 ? [4 as const] : []), ...(hasIpv6 ? [6 as const] : [])]
}

function withoutLength(text: string): string {
  return text.split('/')[0] ?? ''
}
