import { ConfigError } from '../../../base/errors.ts'
import { parseConfigList } from '../../../cni/config.ts'
import { parseOvnConfig } from '../config.ts'
import type {
  LabelSelector,
  Layer2Spec,
  Layer3Spec,
  LocalnetSpec,
  UserDefinedSpec,
} from '../resources/user-defined-network.ts'

/** Network of a UserDefinedNetwork, and of a ClusterUserDefinedNetwork, as OVN-Kubernetes names them. */
export const namespacedNetworkName = (namespace: string, name: string): string => `${namespace}.${name}`
export const clusterNetworkName = (name: string): string => `cluster.udn.${name}`

/**
 * The CNI configuration, as text, of the definition that a user-defined network amounts to. `nad` is where it will be,
 * `<namespace>/<name>`. Throws ConfigError for what a definition with it would be refused for.
 */
export function renderUserDefined(network: string, nad: string, spec: UserDefinedSpec): string {
  const keys = {
    cniVersion: '1.0.0',
    type: 'ovn-k8s-cni-overlay',
    name: network,
    netAttachDefName: nad,
    topology: spec.topology?.toLowerCase(),
    ...topologyKeys(spec),
  }
  const text = JSON.stringify(Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined)))
  parseOvnConfig(parseConfigList(text))
  return text
}

function topologyKeys({ topology, layer2, layer3, localnet }: UserDefinedSpec): Record<string, unknown> {
  if (topology === 'Layer2') return layer2Keys(required(layer2, 'layer2'))
  if (topology === 'Layer3') return layer3Keys(required(layer3, 'layer3'))
  if (topology === 'Localnet') return localnetKeys(required(localnet, 'localnet'))
  throw new ConfigError('spec.topology', `"${topology}" is neither Layer2, Layer3 nor Localnet`)
}

function layer2Keys({ role, mtu, subnets, ipam, ipamLifecycle }: Layer2Spec): Record<string, unknown> {
  return {
    ...common('layer2', { role, mtu }),
    ...addressKeys('layer2', { subnets, ipam: { lifecycle: ipamLifecycle, ...ipam } }),
  }
}

function layer3Keys({ role, mtu, subnets = [] }: Layer3Spec): Record<string, unknown> {
  const text = ({ cidr, hostSubnet }: { cidr?: string; hostSubnet?: number }): string =>
    hostSubnet === undefined ? (cidr ?? '') : `${cidr}/${hostSubnet}`
  return { ...common('layer3', { role, mtu }), subnets: subnets.map(text).join(',') }
}

function localnetKeys(spec: LocalnetSpec): Record<string, unknown> {
  const { role, mtu, subnets, ipam, excludeSubnets = [], physicalNetworkName, vlan } = spec
  return {
    ...common('localnet', { role, mtu }),
    ...addressKeys('localnet', { subnets, ipam }),
    ...(excludeSubnets.length === 0 ? {} : { excludeSubnets: excludeSubnets.join(',') }),
    physicalNetworkName,
    vlanID: vlan?.access?.id,
  }
}

function common(field: string, { role, mtu }: { role: string | undefined; mtu: number | undefined }): object {
  if (role !== 'Secondary') {
    throw new ConfigError(`spec.${field}.role`, `${role} is not supported: eth0 belongs to the routed network`, {
      fix: 'Write role: Secondary.',
    })
  }
  return { role: 'secondary', ...(mtu === undefined || mtu === 0 ? {} : { mtu }) }
}

/** Disabled IPAM leaves addresses to the pods; the prefixes would say nothing. */
function addressKeys(
  field: string,
  {
    subnets = [],
    ipam,
  }: { subnets: string[] | undefined; ipam: { mode?: string; lifecycle?: string | undefined } | undefined },
): Record<string, unknown> {
  if (ipam?.mode === 'Disabled') {
    if (subnets.length === 0) return {}
    throw new ConfigError(`spec.${field}.subnets`, 'has no meaning with ipam.mode Disabled', {
      fix: 'Remove one of them.',
    })
  }
  const isPersistent = ipam?.lifecycle === 'Persistent'
  if (isPersistent && subnets.length === 0) {
    throw new ConfigError(`spec.${field}.ipam.lifecycle`, 'Persistent needs subnets to give addresses from')
  }
  return {
    ...(subnets.length === 0 ? {} : { subnets: subnets.join(',') }),
    ...(isPersistent ? { allowPersistentIPs: true } : {}),
  }
}

function required<T>(part: T | undefined, field: string): T {
  if (part !== undefined) return part
  throw new ConfigError(`spec.${field}`, 'is missing for this topology')
}

/** Whether a label selector matches; one without conditions matches everything. */
export function matchesSelector(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  const isEqual = Object.entries(matchLabels).every(([key, value]) => labels[key] === value)
  return isEqual && matchExpressions.every((expression) => meets(labels[expression.key], expression))
}

function meets(value: string | undefined, { operator, values = [] }: { operator: string; values?: string[] }): boolean {
  const isIn = value !== undefined && values.includes(value)
  if (operator === 'In') return isIn
  if (operator === 'NotIn') return !isIn
  return (value !== undefined) === (operator === 'Exists')
}
