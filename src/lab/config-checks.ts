import { ConfigError } from '../base/errors.ts'
import { type Cidr, cidrContains, cidrsOverlap, formatCidr, hostPrefixOf, parseCidr } from '../base/ip.ts'
import type { LabConfig, LabNode } from './config.ts'

/** What Linux allows for an interface name: IFNAMSIZ less the closing zero. */
export const maxInterfaceNameLength = 15

/** Prefixes that OVN-Kubernetes uses inside itself; they may not be used for anything else. */
const ovnInternal = [
  { field: "OVN's join network", cidr: '100.64.0.0/16' },
  { field: "OVN's masquerade network", cidr: '169.254.169.0/29' },
]

/** Name by which the fabric's namespace is reached with `lab exec`; no node may have it. */
export const fabricName = 'tor'

/** What a schema cannot say: names that must match and prefixes that must not overlap. Throws ConfigError on the first. */
export function checkConfig(config: LabConfig): void {
  checkNames(config)
  checkControlPlane(config)
  checkFabric(config)
  checkNodes(config)
  checkGateway(config)
  checkOverlaps(config)
  checkDuplicateAddresses(config)
}

/** `cidr` or `cidr/hostPrefix`, several separated by commas, as daemonset.sh's --net-cidr has it. Throws ConfigError. */
function parseNetCidrs(text: string): Cidr[] {
  return text.split(',').map((part) => parseNetCidr(part.trim()).cidr)
}

function parseNetCidr(text: string): { cidr: Cidr; hostPrefixLength: number } {
  const parts = text.split('/')
  try {
    const cidr = parseCidr(parts.slice(0, 2).join('/'), { strict: true })
    const hostPrefixLength = Number(parts[2] ?? '24')
    if (parts.length <= 3 && hostPrefixLength > cidr.prefixLength && hostPrefixLength <= 32) {
      return { cidr, hostPrefixLength }
    }
  } catch (error) {
    throw badNetCidr(text, error)
  }
  throw badNetCidr(text, undefined)
}

function badNetCidr(text: string, cause: unknown): ConfigError {
  return new ConfigError('ovn.netCidr', `"${text}" is not a prefix with an optional length per node`, {
    fix: 'Write it as 10.144.0.0/16/24: the network, then the length of each node’s part.',
    cause,
  })
}

function checkNames(config: LabConfig): void {
  const seen = new Map<string, number>()
  config.nodes.forEach((node, index) => {
    const before = seen.get(node.name)
    if (before !== undefined) {
      throw new ConfigError(`nodes[${index}].name`, `"${node.name}" is the name of nodes[${before}] too`, {
        fix: 'Give each node a name of its own.',
      })
    }
    if (node.name === fabricName) {
      throw new ConfigError(`nodes[${index}].name`, `"${fabricName}" is the name of the lab's router`, {
        fix: 'Choose another name.',
      })
    }
    seen.set(node.name, index)
  })
}

function checkControlPlane(config: LabConfig): void {
  if (config.nodes.some((node) => node.name === config.controlPlane)) return
  const names = config.nodes.map((node) => node.name).join(', ')
  throw new ConfigError('controlPlane', `no control plane: "${config.controlPlane}" is none of the nodes ${names}`, {
    fix: 'Name one of the nodes.',
  })
}

function checkFabric(config: LabConfig): void {
  const names = new Set<string>()
  config.fabric.networks.forEach((network, index) => {
    const field = `fabric.networks[${index}]`
    checkInterfaceName(`${field}.interface`, network.interface)
    if (names.has(network.interface)) {
      throw new ConfigError(`${field}.interface`, `"${network.interface}" is on two networks`, {
        fix: 'Give each network an interface of its own.',
      })
    }
    names.add(network.interface)
    checkInside(`${field}.router`, network.router, network.cidr)
    if (network.cidr6 !== undefined) checkIpv6(field, network, network.cidr6)
  })
  if (!names.has(config.management)) {
    throw new ConfigError('management', `"${config.management}" is on no fabric network (${[...names].join(', ')})`, {
      fix: 'Name the interface of one of fabric.networks.',
    })
  }
}

function checkIpv6(field: string, { router6 }: { router6?: string | undefined }, cidr6: string): void {
  if (parseCidr(cidr6).family === 4) {
    throw new ConfigError(`${field}.cidr6`, `${cidr6} is not a prefix of IPv6`, { fix: 'e.g. fd00:100::/64' })
  }
  if (router6 !== undefined) checkInside(`${field}.router6`, router6, cidr6)
}

function checkInterfaceName(field: string, name: string): void {
  if (name.length > maxInterfaceNameLength) {
    throw new ConfigError(field, `"${name}" has ${name.length} characters, Linux allows ${maxInterfaceNameLength}`, {
      fix: 'Choose a shorter interface name.',
    })
  }
  if (/[\s/:%]/.test(name) || name === 'lo') {
    throw new ConfigError(field, `"${name}" is not a valid interface name`, { fix: 'Use letters and digits, as ens1.' })
  }
}

function checkInside(field: string, address: string, cidr: string): void {
  if (cidrContains(parseCidr(cidr), address)) return
  throw new ConfigError(field, `${address} is outside ${cidr}`, { fix: `Use an address of ${cidr}.` })
}

function checkNodes(config: LabConfig): void {
  config.nodes.forEach((node, index) => {
    checkNodeAddresses(config, node, `nodes[${index}].addresses`)
    checkNodeAddresses6(config, node, `nodes[${index}].addresses6`)
  })
}

function checkNodeAddresses(config: LabConfig, node: LabNode, field: string): void {
  for (const network of config.fabric.networks) {
    const address = node.addresses[network.interface]
    if (address === undefined) {
      throw new ConfigError(`${field}.${network.interface}`, `${node.name} has no address on ${network.cidr}`, {
        fix: `Add ${network.interface}: an address of ${network.cidr}.`,
      })
    }
    checkInside(`${field}.${network.interface}`, address, network.cidr)
  }
  const known = new Set(config.fabric.networks.map((network) => network.interface))
  for (const name of Object.keys(node.addresses)) {
    checkInterfaceName(`${field}.${name}`, name)
    if (known.has(name)) continue
    throw new ConfigError(`${field}.${name}`, `no fabric network has the interface ${name}`, {
      fix: `Add it to fabric.networks, or use one of ${[...known].join(', ')}.`,
    })
  }
}

function checkNodeAddresses6(config: LabConfig, node: LabNode, field: string): void {
  for (const [name, address] of Object.entries(node.addresses6)) {
    const cidr6 = config.fabric.networks.find((network) => network.interface === name)?.cidr6
    if (cidr6 === undefined) {
      throw new ConfigError(`${field}.${name}`, `no fabric network with a cidr6 has the interface ${name}`, {
        fix: 'Give the network a cidr6, or remove the address.',
      })
    }
    checkInside(`${field}.${name}`, address, cidr6)
  }
}

function checkGateway(config: LabConfig): void {
  const name = config.ovn.gatewayInterface
  const network = config.fabric.networks.find((candidate) => candidate.interface === name)
  if (network === undefined) {
    const known = config.fabric.networks.map((each) => each.interface).join(', ')
    throw new ConfigError('ovn.gatewayInterface', `"${name}" is on no fabric network (${known})`, {
      fix: 'Name the interface of one of fabric.networks.',
    })
  }
  checkInterfaceName('ovn.gatewayInterface (as the bridge is named after it)', `br${name}`)
  if (name === config.management) {
    throw new ConfigError('ovn.gatewayInterface', `"${name}" is the management interface too`, {
      fix: 'OVN takes the interface over: give it one of its own.',
    })
  }
  checkInside('ovn.gatewayNextHop', config.ovn.gatewayNextHop, network.cidr)
}

function checkOverlaps(config: LabConfig): void {
  const prefixes = [
    ...config.fabric.networks.map((each, index) => ({ field: `fabric.networks[${index}].cidr`, cidr: each.cidr })),
    ...config.fabric.networks.flatMap(({ cidr6 }, index) =>
      cidr6 === undefined ? [] : [{ field: `fabric.networks[${index}].cidr6`, cidr: cidr6 }],
    ),
    ...config.fabric.outside.map((each, index) => ({ field: `fabric.outside[${index}]`, cidr: hostPrefixOf(each) })),
    { field: 'routed.ipPoolCidr', cidr: config.routed.ipPoolCidr },
    ...parseNetCidrs(config.ovn.netCidr).map((cidr) => ({ field: 'ovn.netCidr', cidr: formatCidr(cidr) })),
    ...(config.routed.ipv6PoolCidr === undefined
      ? []
      : [{ field: 'routed.ipv6PoolCidr', cidr: config.routed.ipv6PoolCidr }]),
    { field: 'ovn.svcCidr', cidr: config.ovn.svcCidr },
    ...ovnInternal,
  ].map((each) => ({ ...each, parsed: parseCidr(each.cidr) }))
  prefixes.forEach((one, index) => {
    const other = prefixes.slice(0, index).find((candidate) => cidrsOverlap(candidate.parsed, one.parsed))
    if (other === undefined) return
    const [mine, theirs] = ovnInternal.some((each) => each.field === one.field) ? [other, one] : [one, other]
    throw new ConfigError(mine.field, `${mine.cidr} overlaps ${theirs.cidr} (${theirs.field})`, {
      fix: 'Choose prefixes that do not overlap.',
    })
  })
}

function checkDuplicateAddresses(config: LabConfig): void {
  const owners = new Map<string, string>()
  const claim = (address: string, field: string): void => {
    const owner = owners.get(address)
    if (owner !== undefined) {
      throw new ConfigError(field, `${address} is used twice, by ${owner} too`, {
        fix: 'Give one of them another address.',
      })
    }
    owners.set(address, field)
  }
  config.fabric.networks.forEach((network, index) => {
    claim(network.router, `fabric.networks[${index}].router`)
    if (network.router6 !== undefined) claim(network.router6, `fabric.networks[${index}].router6`)
  })
  config.nodes.forEach((node, index) => {
    for (const [name, address] of Object.entries(node.addresses)) claim(address, `nodes[${index}].addresses.${name}`)
    for (const [name, address] of Object.entries(node.addresses6)) claim(address, `nodes[${index}].addresses6.${name}`)
  })
}
