import { ConfigError } from '../../base/errors.ts'
import { AddressError, type Family, parseAddress } from '../../base/ip.ts'

type Annotations = Readonly<Record<string, string>>

/** What annotations ask of a pod's first interface (as Calico does). Addresses are canonical, IPv4 first. */
export interface PodAddressing {
  readonly addresses?: readonly string[] | undefined
  /** The addresses do not go through IPAM: nobody checks that they are free. */
  readonly isOutsideIpam: boolean
  /** Names or prefixes. */
  readonly pools: Readonly<Partial<Record<Family, readonly string[]>>>
  readonly families?: readonly Family[] | undefined
  readonly mac?: string | undefined
  /** By which others reach the pod; canonical. */
  readonly floating?: readonly string[] | undefined
}

/** Switches of the CNI configuration without which an annotation is refused. */
export interface FeatureControl {
  readonly ip_addrs_no_ipam: boolean
  readonly floating_ips: boolean
}

const prefix = 'cni.projectcalico.org/'

/**
 * Calico's annotations mean the pod's first interface, eth0. Pools of the pod go before those of its namespace; what is
 * blank says nothing. Throws ConfigError naming the annotation.
 */
export function podAddressing(
  { pod, namespace }: { pod: Annotations; namespace: Annotations },
  { ifName, features }: { ifName: string; features: FeatureControl },
): PodAddressing {
  if (ifName !== 'eth0') return { pools: {}, isOutsideIpam: false }
  const poolsOf = (name: string): string[] | undefined => parseList(name, pod[name] || namespace[name])
  const [v4, v6] = [poolsOf(`${prefix}ipv4pools`), poolsOf(`${prefix}ipv6pools`)]
  return {
    ...certainAddresses(pod, features),
    pools: { ...(v4 === undefined ? {} : { 4: v4 }), ...(v6 === undefined ? {} : { 6: v6 }) },
    families: parseFamilies(pod[`${prefix}ipFamilies`] || namespace[`${prefix}ipFamilies`]),
    mac: parseMac(pod[`${prefix}hwAddr`]),
    floating: parseFloating(pod[`${prefix}floatingIPs`], features),
  }
}

function certainAddresses(
  pod: Annotations,
  features: FeatureControl,
): Pick<PodAddressing, 'addresses' | 'isOutsideIpam'> {
  const [inside, outside] = [`${prefix}ipAddrs`, `${prefix}ipAddrsNoIpam`]
  if (pod[outside] === undefined) return { addresses: parseAddresses(inside, pod[inside]), isOutsideIpam: false }
  if (pod[inside] !== undefined) {
    const both = "can't have both annotations: 'ipAddrs' and 'ipAddrsNoIpam' in use at the same time"
    throw new ConfigError(`annotation ${outside}`, both, { fix: 'remove one of them' })
  }
  requireFeature(features, 'ip_addrs_no_ipam', outside)
  return { addresses: parseAddresses(outside, pod[outside]), isOutsideIpam: true }
}

/** Any number of either family. */
function parseFloating(text: string | undefined, features: FeatureControl): string[] | undefined {
  const annotation = `${prefix}floatingIPs`
  const list = parseList(annotation, text || undefined)
  if (list === undefined) return undefined
  requireFeature(features, 'floating_ips', annotation)
  return [...new Set(list.map((each) => parseOne(each, `annotation ${annotation}`).address))]
}

function requireFeature(features: FeatureControl, feature: keyof FeatureControl, annotation: string): void {
  if (features[feature]) return
  throw new ConfigError(`annotation ${annotation}`, `requested feature is not enabled: ${feature}`, {
    fix: `set feature_control.${feature} to true in the CNI configuration`,
  })
}

/** At most one address a family. */
function parseAddresses(annotation: string, text: string | undefined): string[] | undefined {
  const list = parseList(annotation, text)
  if (list === undefined) return undefined
  return sortAddresses(list, `annotation ${annotation}`, (family) => {
    return `cannot have more than one IPv${family} address for "${annotation}" annotation`
  })
}

/** Canonical, IPv4 first. Throws ConfigError for two of one family, and for what is no address. */
export function sortAddresses(
  texts: readonly string[],
  where: string,
  tooMany: (family: Family) => string = (family) => `has more than one IPv${family} address`,
): string[] {
  const parsed = texts.map((text) => parseOne(text, where))
  for (const family of [4, 6] as const) {
    if (parsed.filter((each) => each.family === family).length < 2) continue
    throw new ConfigError(where, `${texts.join(', ')}: ${tooMany(family)}`, { fix: 'keep one address a family' })
  }
  return parsed.sort((a, b) => a.family - b.family).map(({ address }) => address)
}

function parseOne(text: string, where: string): { family: Family; address: string } {
  try {
    return parseAddress(text)
  } catch (cause) {
    if (!(cause instanceof AddressError)) throw cause
    const fix = 'write addresses without prefix length, e.g. 10.244.0.7'
    throw new ConfigError(where, `invalid IP format: ${text}`, { fix, cause })
  }
}

function parseFamilies(text: string | undefined): Family[] | undefined {
  const annotation = `${prefix}ipFamilies`
  return parseList(annotation, text || undefined)?.map((word): Family => {
    if (word === 'IPv4' || word === 'IPv6') return word === 'IPv4' ? 4 : 6
    throw new ConfigError(`annotation ${annotation}`, `"${word}" is no family`, { fix: 'write ["IPv4","IPv6"]' })
  })
}

function parseMac(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const octets = text.toLowerCase().replaceAll('-', ':')
  const isUnicast = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(octets) && (Number.parseInt(octets, 16) & 1) === 0
  if (isUnicast) return octets
  throw new ConfigError(`annotation ${prefix}hwAddr`, `"${text}" is not the MAC address of an interface`, {
    fix: 'write six octets, the first one even, e.g. 1c:0c:0a:c0:ff:ee',
  })
}

function parseList(annotation: string, text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  const problem = (what: string, cause?: unknown) =>
    new ConfigError(`annotation ${annotation}`, what, { fix: 'write a JSON array, e.g. ["10.244.0.7"]', cause })
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch (error) {
    throw problem('is not JSON', error)
  }
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) throw problem('is not a list of texts')
  if (list.length === 0) throw problem('specified but empty')
  return list
}
