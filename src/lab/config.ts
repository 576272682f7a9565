import { parse as parseYaml, YAMLParseError } from 'yaml'
import * as z from 'zod'
import { ConfigError } from '../base/errors.ts'
import { isAddress, parseCidr } from '../base/ip.ts'
import { parseSchema } from '../base/parse-schema.ts'
import { checkConfig } from './config-checks.ts'

const address = z.string().refine(isAddress, { error: (issue) => `"${String(issue.input)}" is not an IP address` })
const cidr = z.string().refine(isStrictCidr, {
  error: (issue) => `"${String(issue.input)}" is not a prefix such as 10.0.0.0/16 without host bits`,
})
const dnsName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
  error: (issue) => `"${String(issue.input)}" is not a DNS label (lower-case letters, digits and -)`,
})

const fabricNetwork = z.strictObject({
  /** Name of the nodes' interface on this network. */
  interface: z.string().min(1),
  cidr,
  /** The ToR router's address on it. */
  router: address,
  /** The same of IPv6; absent: the network has none. */
  cidr6: cidr.optional(),
  router6: address.optional(),
})

const node = z.strictObject({
  name: dnsName,
  labels: z.record(z.string(), z.string()).default({}),
  /** Annotations of the Node object from its first moment, e.g. `k8s.ovn.org/node-subnets` to fix its OVN subnet. */
  annotations: z.record(z.string(), z.string()).default({}),
  /** Address of each interface; the prefix length is that of its fabric network. */
  addresses: z.record(z.string(), address),
  /** The same of IPv6, on the networks that have it. */
  addresses6: z.record(z.string(), address).default({}),
})

const routed = z.strictObject({
  ipPoolCidr: cidr.default('10.244.0.0/16'),
  blockSize: z.int().min(20).max(32).default(24),
  natOutgoing: z.boolean().default(true),
  /** Encapsulation of the pool; IP-in-IP needs a host kernel with the module ipip. */
  ipipMode: z.enum(['Never', 'Always', 'CrossSubnet']).default('Never'),
  vxlanMode: z.enum(['Never', 'Always', 'CrossSubnet']).default('Never'),
  /** Makes pods dual-stack; needs `cidr6` on the network that ipAutodetectionMethod names. */
  ipv6PoolCidr: cidr.optional(),
  ipv6BlockSize: z.int().min(116).max(128).default(122),
  ipv6NatOutgoing: z.boolean().default(false),
  /** The article's IP_AUTODETECTION_METHOD; the name of a fabric interface is written `interface=ens2`. */
  ipAutodetectionMethod: z.string().default('interface=ens2'),
  mtuBytes: z.int().min(0).max(65_535).default(0),
})

const ovn = z.strictObject({
  netCidr: z.string().default('10.144.0.0/16/24'),
  svcCidr: cidr.default('10.96.0.0/16'),
  gatewayMode: z.enum(['local', 'shared']).default('local'),
  gatewayInterface: z.string().default('ens3'),
  gatewayNextHop: address.default('192.168.200.1'),
  multicastEnabled: z.boolean().default(true),
  disableSnatMultipleGateways: z.boolean().default(true),
  disablePacketMtuCheck: z.boolean().default(true),
  encapType: z.enum(['vxlan', 'geneve']).default('vxlan'),
  mtuBytes: z.int().min(1280).max(65_535).default(1400),
})

const labSchema = z.strictObject({
  name: dnsName,
  /** The node that runs the API server, the controller and OVN's databases. */
  controlPlane: z.string({ error: 'no control plane; name the node that runs the API server and the OVN databases' }),
  /** The interface that carries the nodes' InternalIP and default route. */
  management: z.string(),
  fabric: z.strictObject({
    networks: z.array(fabricNetwork).min(1),
    /** Addresses on the ToR's loopback: "the outside" that pods reach through their gateways. */
    outside: z.array(address).default([]),
  }),
  nodes: z.array(node).min(1),
  /** Whether the controller's webhook refuses definitions and pods that `twinlane lint` finds errors in. */
  admission: z.boolean().default(false),
  routed: routed.prefault({}),
  ovn: ovn.prefault({}),
})

/** A whole lab as `lab.yaml` describes it, defaults filled in and checked. */
export type LabConfig = z.infer<typeof labSchema>
export type LabNode = LabConfig['nodes'][number]
export type FabricNetwork = LabConfig['fabric']['networks'][number]

/** Parses the text of a lab.yaml. Throws ConfigError naming the field, the values and the fix. */
export function parseLabFile(text: string, file: string): LabConfig {
  try {
    return parseLabConfig(parseYaml(text))
  } catch (error) {
    if (error instanceof YAMLParseError) throw new ConfigError(file, `not YAML: ${error.message}`, { cause: error })
    throw error
  }
}

/** Checks an already parsed lab description. Throws ConfigError. */
export function parseLabConfig(raw: unknown): LabConfig {
  const config = parseSchema(labSchema, raw, { whole: 'lab.yaml' })
  checkConfig(config)
  return config
}

/** The node that runs the control plane. */
export function controlPlaneOf(config: LabConfig): LabNode {
  return getNode(config, config.controlPlane)
}

export function getNode(config: LabConfig, name: string): LabNode {
  const found = config.nodes.find((candidate) => candidate.name === name)
  if (found !== undefined) return found
  throw new ConfigError('node', `no node "${name}"; there are ${config.nodes.map((each) => each.name).join(', ')}`)
}

/** The node's address on the management network: Kubernetes' InternalIP. */
export function managementAddress(config: LabConfig, node: LabNode): string {
  const found = node.addresses[config.management]
  if (found === undefined) throw new ConfigError(`nodes.${node.name}.addresses`, `no address of ${config.management}`)
  return found
}

function isStrictCidr(text: string): boolean {
  try {
    parseCidr(text, { strict: true })
    return true
  } catch {
    return false
  }
}
