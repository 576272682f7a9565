import type { CustomResource, KubeObject } from '../../../kube/resources/meta.ts'

/** A network for pods of one namespace (OVN-Kubernetes, k8s.ovn.org/v1). */
export interface UserDefinedNetwork extends KubeObject {
  spec?: UserDefinedSpec
  status?: UserDefinedStatus
}

/** A network for pods of all namespaces that its selector matches. */
export interface ClusterUserDefinedNetwork extends KubeObject {
  spec?: { namespaceSelector?: LabelSelector; network?: UserDefinedSpec }
  status?: UserDefinedStatus
}

export interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

export interface UserDefinedSpec {
  topology?: string
  layer2?: Layer2Spec
  layer3?: Layer3Spec
  localnet?: LocalnetSpec
}

export interface Layer2Spec {
  role?: string
  mtu?: number
  subnets?: string[]
  ipam?: { mode?: string; lifecycle?: string }
  /** The older form of `ipam.lifecycle`. */
  ipamLifecycle?: string
}

export interface Layer3Spec {
  role?: string
  mtu?: number
  subnets?: { cidr?: string; hostSubnet?: number }[]
}

export interface LocalnetSpec {
  role?: string
  mtu?: number
  physicalNetworkName?: string
  subnets?: string[]
  excludeSubnets?: string[]
  vlan?: { mode?: string; access?: { id?: number } }
  ipam?: { mode?: string; lifecycle?: string }
}

export interface UserDefinedStatus {
  conditions?: Condition[]
}

/** As of meta.k8s.io. */
export interface Condition {
  type: string
  status: 'True' | 'False'
  reason: string
  message: string
  lastTransitionTime: string
}

type Schema = Record<string, unknown>

const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more })
const record = (description: string, properties: Record<string, Schema>, more: Schema = {}): Schema => {
  return { type: 'object', description, properties, ...more }
}
const list = (description: string, items: Schema, more: Schema = {}): Schema => {
  return { type: 'array', description, items, ...more }
}

const role = text('Secondary. A primary network is refused: eth0 belongs to the routed network.', {
  enum: ['Primary', 'Secondary'],
})
const mtu: Schema = { type: 'integer', description: 'MTU of the pods.', minimum: 0, maximum: 65_536 }
const prefixes = list('At most one prefix a family.', { type: 'string' }, { minItems: 1, maxItems: 2 })
const ipam = record('Whether pods get addresses from the network, and for how long.', {
  mode: text('Enabled or Disabled. Default Enabled.', { enum: ['Enabled', 'Disabled'] }),
  lifecycle: text('Persistent: addresses may belong to IPAMClaims.', { enum: ['Persistent'] }),
})

const layer2 = record('One switch over all nodes.', {
  role,
  mtu,
  subnets: prefixes,
  joinSubnets: list('Of primary networks only.', { type: 'string' }),
  ipam,
  ipamLifecycle: text('The older form of ipam.lifecycle.', { enum: ['Persistent'] }),
})

const layer3 = record('A switch a node and a router between them.', {
  role,
  mtu,
  subnets: list('Prefixes that the nodes get their parts of.', {
    type: 'object',
    properties: {
      cidr: text('The whole prefix.'),
      hostSubnet: { type: 'integer', description: "Length of a node's part.", minimum: 1, maximum: 127 },
    },
  }),
  joinSubnets: list('Of primary networks only.', { type: 'string' }),
})

const localnet = record('One switch that is joined to a physical network.', {
  role,
  mtu,
  physicalNetworkName: text("Which of the nodes' bridge mappings leads out. Default: the network's name."),
  subnets: prefixes,
  excludeSubnets: list('Prefixes that are never given out.', { type: 'string' }),
  vlan: record('Tag of the packets outside.', {
    mode: text('Access.', { enum: ['Access'] }),
    access: record('One VLAN.', { id: { type: 'integer', description: 'Its number.', minimum: 1, maximum: 4094 } }),
  }),
  ipam,
})

const status = record('What has become of it.', {
  conditions: list('NetworkCreated says whether the definitions are there.', {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: { type: 'string' },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: { type: 'string' },
      message: { type: 'string' },
      lastTransitionTime: { type: 'string', format: 'date-time' },
      observedGeneration: { type: 'integer' },
    },
  }),
})

const selector = record('Which namespaces, by their labels. An empty one matches all.', {
  matchLabels: { type: 'object', description: 'Labels and their values.', additionalProperties: { type: 'string' } },
  matchExpressions: list('Conditions on labels.', {
    type: 'object',
    required: ['key', 'operator'],
    properties: {
      key: { type: 'string' },
      operator: { type: 'string', enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'] },
      values: { type: 'array', items: { type: 'string' } },
    },
  }),
})

const topologyOf = (kinds: string[]): Schema => text('What kind of network it is.', { enum: kinds })

const columns = [
  { name: 'Created', type: 'string', jsonPath: '.status.conditions[?(@.type=="NetworkCreated")].status' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
] as const

const common = { group: 'k8s.ovn.org', version: 'v1', hasStatus: true, printerColumns: columns } as const

function whole(description: string, spec: Schema): Schema {
  const meta = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } }
  return { type: 'object', description, required: ['spec'], properties: { ...meta, spec, status } }
}

export const userDefinedNetworks: CustomResource<UserDefinedNetwork> = {
  ...common,
  kind: 'UserDefinedNetwork',
  plural: 'userdefinednetworks',
  singular: 'userdefinednetwork',
  shortNames: ['udn'],
  isNamespaced: true,
  schema: whole(
    'A network of OVN for pods of this namespace.',
    record(
      'What the network is.',
      { topology: topologyOf(['Layer2', 'Layer3']), layer2, layer3 },
      { required: ['topology'] },
    ),
  ),
}

export const clusterUserDefinedNetworks: CustomResource<ClusterUserDefinedNetwork> = {
  ...common,
  kind: 'ClusterUserDefinedNetwork',
  plural: 'clusteruserdefinednetworks',
  singular: 'clusteruserdefinednetwork',
  shortNames: ['cudn'],
  isNamespaced: false,
  schema: whole(
    'A network of OVN for pods of several namespaces.',
    record(
      'What the network is, and for whom.',
      {
        namespaceSelector: selector,
        network: record(
          'What the network is.',
          { topology: topologyOf(['Layer2', 'Layer3', 'Localnet']), layer2, layer3, localnet },
          { required: ['topology'] },
        ),
      },
      { required: ['namespaceSelector', 'network'] },
    ),
  ),
}
