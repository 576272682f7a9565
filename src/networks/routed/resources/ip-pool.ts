import type { KubeObject } from '../../../kube/resources/meta.ts'
import { ageColumn, calicoResource, cidrPattern, flag, listOf, record, text, whole } from './schema.ts'

/** Prefix that pods get addresses from (as Calico does). */
export interface IPPool extends KubeObject {
  spec: IPPoolSpec
  status?: { conditions?: PoolCondition[] }
}

/** `Allocatable`: whether addresses of the pool are given out, and why not. */
export interface PoolCondition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
  lastTransitionTime?: string
}

export interface IPPoolSpec {
  cidr: string
  /** Prefix length of a block. @default 26 (IPv4), 122 (IPv6) */
  blockSize?: number
  ipipMode?: 'Never' | 'Always' | 'CrossSubnet'
  vxlanMode?: 'Never' | 'Always' | 'CrossSubnet'
  natOutgoing?: boolean
  disabled?: boolean
  disableBGPExport?: boolean
  nodeSelector?: string
  namespaceSelector?: string
  allowedUses?: ('Workload' | 'Tunnel' | 'LoadBalancer')[]
  assignmentMode?: 'Automatic' | 'Manual'
}

/** API servers that evaluate such rules refuse a change by themselves; ours asks the webhook. */
const unchangeable = (field: string): object => ({
  'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: `${field} cannot be changed: make a new pool` }],
})

const encapsulations = ['Never', 'Always', 'CrossSubnet']

export const ipPools = calicoResource<IPPool>({
  kind: 'IPPool',
  plural: 'ippools',
  shortNames: ['ipp', 'ipps', 'pool', 'pools'],
  description: 'A range of addresses that pods on the routed network get theirs from.',
  printerColumns: [
    { name: 'CIDR', type: 'string', jsonPath: '.spec.cidr' },
    { name: 'Nat', type: 'boolean', jsonPath: '.spec.natOutgoing' },
    { name: 'IPIPMode', type: 'string', jsonPath: '.spec.ipipMode', priority: 1 },
    { name: 'VXLANMode', type: 'string', jsonPath: '.spec.vxlanMode', priority: 1 },
    { name: 'Disabled', type: 'boolean', jsonPath: '.spec.disabled', priority: 1 },
    { name: 'DisableBGPExport', type: 'boolean', jsonPath: '.spec.disableBGPExport', priority: 1 },
    { name: 'Selector', type: 'string', jsonPath: '.spec.nodeSelector' },
    ageColumn,
  ],
  spec: record(
    'What the pool holds and who may use it.',
    {
      cidr: text('Prefix of the pool. Cannot be changed, and may not overlap another pool.', {
        pattern: cidrPattern,
        ...unchangeable('cidr'),
      }),
      blockSize: whole(
        'Prefix length of the blocks that nodes claim: 20 to 32 for IPv4 (default 26), 116 to 128 for IPv6 (default 122). Cannot be changed.',
        { minimum: 20, maximum: 128, ...unchangeable('blockSize') },
      ),
      ipipMode: text(
        'IP-in-IP between nodes: Always, or for nodes of other subnets (CrossSubnet). Default Never. Needs the kernel module ipip.',
        { enum: encapsulations },
      ),
      vxlanMode: text(
        'VXLAN between nodes: Always, or for nodes of other subnets (CrossSubnet). Default Never. Needs no BGP.',
        { enum: encapsulations },
      ),
      natOutgoing: flag('Masquerade what pods of this pool send to addresses that are in no pool.'),
      disabled: flag('Give out no new addresses. Pods that have one keep it.'),
      disableBGPExport: flag('Announce nothing of this pool to any BGP peer.'),
      nodeSelector: text('Nodes that may claim blocks of this pool, as a selector over node labels. Default all().'),
      namespaceSelector: text('Namespaces whose pods may use this pool, as a selector over namespace labels.'),
      allowedUses: listOf('What addresses of this pool may be used for. Default Workload and Tunnel.', {
        type: 'string',
        enum: ['Workload', 'Tunnel', 'LoadBalancer'],
      }),
      assignmentMode: text('Automatic: any pod may get an address. Manual: only pods that ask for this pool.', {
        enum: ['Automatic', 'Manual'],
      }),
    },
    { required: ['cidr'] },
  ),
  status: record('What the controller finds.', {
    conditions: listOf(
      'Allocatable: whether addresses of the pool are given out. Reasons: OK, PoolDisabled, Terminating, CIDROverlap, Invalid.',
      record('One condition.', {
        type: text('Allocatable.'),
        status: text('Whether it holds.', { enum: ['True', 'False', 'Unknown'] }),
        reason: text('Why, in a word.'),
        message: text('Why, in a sentence.'),
        lastTransitionTime: text('When status last changed.', { format: 'date-time' }),
      }),
    ),
  }),
})
