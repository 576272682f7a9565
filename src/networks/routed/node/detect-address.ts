import { ConfigError } from '../../../base/errors.ts'
import { type Cidr, cidrContains, type Family, familyOf, parseCidr } from '../../../base/ip.ts'

/** An interface of the host with its addresses of the family that is looked for. */
export interface HostInterface {
  readonly name: string
  readonly index: number
  readonly addresses: readonly { readonly address: string; readonly prefixLength: number }[]
}

export interface DetectedAddress {
  readonly interfaceName: string
  readonly address: string
  readonly prefixLength: number
  /** Why this one, for the log. */
  readonly because: string
}

export interface DetectionFacts {
  readonly family: Family
  readonly interfaces: readonly HostInterface[]
  /** Addresses of type InternalIP of the Node. */
  readonly internalAddresses: readonly string[]
  /** The address that the kernel would send from to this destination; undefined when there is no way. */
  localAddressTowards(destination: string): Promise<string | undefined>
}

/** Interfaces that are never meant, by their beginning. */
const excluded = new RegExp(
  `^(?:${[
    'docker',
    'cbr',
    'dummy',
    'podman',
    'virbr',
    'lxcbr',
    'veth',
    'lo',
    'br-',
    'cali',
    'tunl',
    'flannel',
    'kube-ipvs',
    'cni',
    'vxlan\\.calico',
    'vxlan-v6\\.calico',
    'wireguard\\.cali',
    'wg-v6\\.cali',
    'nodelocaldns',
    // Not Calico's: bridges of the OVN network beside us.
    'ovs-',
    'ovn-',
  ].join('|')})`,
)

/** The node's address by one of Calico's methods. undefined when nothing matches. Throws ConfigError. */
export async function detectAddress(method: string, facts: DetectionFacts): Promise<DetectedAddress | undefined> {
  return (await candidateAddresses(method, facts))[0]
}

/**
 * All that fit the method, the one to take first. Throws ConfigError for a method that there is not. Patterns of
 * `interface=` match anywhere in the name, as Calico's do: `ens2` also matches ens20.
 */
export async function candidateAddresses(method: string, facts: DetectionFacts): Promise<DetectedAddress[]> {
  const { name, argument } = parseMethod(method)
  switch (name) {
    case '':
    case 'first-found':
      return candidatesOf(usable(facts.interfaces), 'the first address of any interface')
    case 'interface':
      return candidatesOf(facts.interfaces.filter(matchesAny(argument)), `the interface matches ${argument}`)
    case 'skip-interface': {
      const skipped = matchesAny(argument)
      const left = usable(facts.interfaces).filter((candidate) => !skipped(candidate))
      return candidatesOf(left, `the first address of an interface that does not match ${argument}`)
    }
    case 'cidr':
      return allInside(facts.interfaces, argument)
    case 'can-reach':
      return byAddress(facts.interfaces, await facts.localAddressTowards(argument), `the way to ${argument}`)
    case 'kubernetes-internal-ip':
      return byAddress(facts.interfaces, internalAddressOf(facts), 'the InternalIP of the Node')
    default:
      throw new ConfigError('networks.routed.ipAutodetectionMethod', `Invalid IP autodetection method: ${method}`, {
        fix: 'use first-found, interface=REGEX, skip-interface=REGEX, cidr=CIDR, can-reach=DESTINATION or kubernetes-internal-ip',
      })
  }
}

/** `interface=^ens2$` in its two parts; `argument` is empty where there is none. */
export function parseMethod(method: string): { name: string; argument: string } {
  const [, name = '', argument = ''] = /^([^=]*)=?(.*)$/s.exec(method.trim()) ?? []
  return { name, argument }
}

function usable(interfaces: readonly HostInterface[]): HostInterface[] {
  return interfaces.filter(({ name }) => !excluded.test(name))
}

/** The interface with the highest index is looked at first. */
function candidatesOf(interfaces: readonly HostInterface[], because: string): DetectedAddress[] {
  return [...interfaces]
    .sort((a, b) => b.index - a.index)
    .flatMap(({ name, addresses }) =>
      addresses
        .filter(({ address }) => isGlobalUnicast(address))
        .map((found) => ({ ...found, interfaceName: name, because })),
    )
}

function matchesAny(list: string): (candidate: HostInterface) => boolean {
  const patterns = list.split(',').map(parsePattern)
  return ({ name }) => patterns.some((pattern) => pattern.test(name))
}

function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text.trim())
  } catch (cause) {
    throw new ConfigError('networks.routed.ipAutodetectionMethod', `"${text}" is not a regular expression`, { cause })
  }
}

/** One prefix that cannot be read, and nothing is found: as Calico, which then keeps the stored address. */
function allInside(interfaces: readonly HostInterface[], list: string): DetectedAddress[] {
  const cidrs = parseCidrs(list)
  return candidatesOf(usable(interfaces), `it lies in ${list}`).filter(({ address }) =>
    cidrs.some((cidr) => cidrContains(cidr, address)),
  )
}

function parseCidrs(list: string): Cidr[] {
  try {
    return list.split(',').map((text) => parseCidr(text.trim()))
  } catch {
    return []
  }
}

function byAddress(
  interfaces: readonly HostInterface[],
  wanted: string | undefined,
  because: string,
): DetectedAddress[] {
  return candidatesOf(interfaces, because).filter(({ address }) => address === wanted)
}

function internalAddressOf({ internalAddresses, family }: DetectionFacts): string | undefined {
  return internalAddresses.find((address) => familyOf(address) === family)
}

const notGlobal = [
  ...['0.0.0.0/32', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32'],
  ...['::/127', 'fe80::/10', 'ff00::/8'],
].map((text) => parseCidr(text))

/** Of a kind that a node can have for BGP. */
export function isGlobalUnicast(address: string): boolean {
  return !notGlobal.some((cidr) => cidrContains(cidr, address))
}
