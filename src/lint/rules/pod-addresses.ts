import {
  type Cidr,
  cidrContains,
  cidrOf,
  familyOf,
  formatCidr,
  isAddress,
  parseCidr,
  parseInterfaceAddress,
} from '../../base/ip.ts'
import type { NetworkConfigList } from '../../cni/request.ts'
import type { LintContext } from '../context.ts'
import { findConfigFacts, findConfigList } from '../definition-config.ts'
import type { Finding } from '../finding.ts'
import { type PlacedSelection, placedSelections } from '../pod-selections.ts'
import type { Rule } from '../rule.ts'

/** Gateways and addresses that the network, as far as its configuration tells, cannot have. */
export const podAddresses: Rule = (subject, context) =>
  placedSelections(subject, context).flatMap((placed) => {
    const list = configOf(placed, context)
    if (list === undefined) return []
    return [...gatewaysOf(placed, list), ...addressesOf(placed, list)]
  })

function configOf({ selection }: PlacedSelection, { definitions }: LintContext): NetworkConfigList | undefined {
  const found = definitions.find(
    ({ metadata }) => metadata.name === selection.name && (metadata.namespace ?? 'default') === selection.namespace,
  )
  return found === undefined
    ? undefined
    : findConfigList({ object: { metadata: found.metadata, spec: { ...found.spec } } })
}

function gatewaysOf(placed: PlacedSelection, list: NetworkConfigList): Finding[] {
  const hasSubnetPerNode = findConfigFacts(list)?.hasSubnetPerNode
  const subnets = subnetsOf(list)
  return (placed.selection.defaultRoute ?? []).flatMap((gateway, index) => {
    const at = place(placed, `default-route[${index}]`)
    if (hasSubnetPerNode === true) return [gatewayOfOneNode(gateway, placed.selection.name, at)]
    const problem = problemOf(gateway, subnets)
    if (problem === undefined) return []
    const message = `gateway ${gateway} ${problem}; the network's own gateway is used in its place`
    return [{ ...at, rule: 'gateway', message, fix: 'Write a gateway of that subnet.' }]
  })
}

function gatewayOfOneNode(gateway: string, name: string, at: ReturnType<typeof place>): Finding {
  return {
    ...at,
    rule: 'gateway-of-one-node',
    message: `gateway ${gateway} is pinned, but network "${name}" gives every node a subnet of its own: the address is the gateway of one node at most, and elsewhere the pod gets the gateway of its node instead`,
    fix: 'Do not rely on the address: on other implementations the pod has a default route only on that one node.',
  }
}

function addressesOf(placed: PlacedSelection, list: NetworkConfigList): Finding[] {
  return (placed.selection.ips ?? []).flatMap((text, index) => {
    const address = isAddress(text) ? text : parseInterfaceAddress(text).address
    const problem = problemOf(address, subnetsOf(list))
    if (problem === undefined) return []
    const fix = 'Ask for an address of that subnet.'
    return [{ ...place(placed, `ips[${index}]`), rule: 'address', message: `address ${address} ${problem}`, fix }]
  })
}

function place(placed: PlacedSelection, key: string): Pick<Finding, 'severity' | 'field' | 'position'> {
  return { severity: 'warning', field: placed.source.field, position: placed.positionOf(key) }
}

function problemOf(address: string, subnets: readonly Cidr[]): string | undefined {
  const known = subnets.map(formatCidr).join(', ')
  if (subnets.length === 0 || subnets.some((subnet) => cidrContains(subnet, address))) return undefined
  const family = familyOf(address)
  return subnets.some((subnet) => subnet.family === family)
    ? `is not in the network's subnet ${known}`
    : `is an IPv${family} address, and the network has only ${known}`
}

/** Subnets that the network tells of, or the ipam part of the plugins names; none when they are unknown. */
export function subnetsOf(list: NetworkConfigList): Cidr[] {
  return [...(findConfigFacts(list)?.subnets ?? []).map((text) => parseCidr(text)), ...ipamSubnetsOf(list)]
}

/** In the way of host-local and static. */
function ipamSubnetsOf(list: NetworkConfigList): Cidr[] {
  return list.plugins.flatMap(({ ipam }) => {
    const { subnet, ranges, addresses } = (ipam ?? {}) as Record<string, unknown>
    const ofRanges = asList(ranges).flatMap((set) => asList(set).map((range) => textOf(range, 'subnet')))
    return [
      ...[subnet, ...ofRanges].flatMap((text) => attempt(text, parseCidr)),
      ...asList(addresses).flatMap((item) => attempt(textOf(item, 'address'), networkOf)),
    ]
  })
}

function networkOf(text: string): Cidr {
  const { address, prefixLength } = parseInterfaceAddress(text)
  return cidrOf(address, prefixLength)
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function textOf(value: unknown, key: string): unknown {
  return (value as Record<string, unknown> | null)?.[key]
}

/** What cannot be read is the plugin's to refuse. */
function attempt(text: unknown, parse: (text: string) => Cidr): Cidr[] {
  try {
    return typeof text === 'string' ? [parse(text)] : []
  } catch {
    return []
  }
}
