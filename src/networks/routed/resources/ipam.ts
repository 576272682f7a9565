import type { KubeObject } from '../../../kube/resources/meta.ts'
import { ageColumn, calicoResource, cidrPattern, flag, listOf, mapOf, record, text, whole } from './schema.ts'

/** A run of addresses with one owner and the state of each address (as Calico does). */
export interface IPAMBlock extends KubeObject {
  spec: IPAMBlockSpec
}

export interface IPAMBlockSpec {
  cidr: string
  /** `host:<node>`; absent: no owner. The authority on who owns the block. */
  affinity?: string | null
  /** For each ordinal, an index into `attributes`, or null when free. */
  allocations: (number | null)[]
  /** Free ordinals, first in first out. */
  unallocated: number[]
  attributes: AllocationAttributes[]
  strictAffinity: boolean
  deleted?: boolean
  sequenceNumber?: number
  /** Ordinal to the sequence number at which it was given out. */
  sequenceNumberForAllocation?: Record<string, number>
  affinityClaimTime?: string | null
}

export interface AllocationAttributes {
  handle_id?: string | null
  /** node, namespace, pod, timestamp … */
  secondary?: Record<string, string> | null
}

/** Index of blocks by node (as Calico does). */
export interface BlockAffinity extends KubeObject {
  spec: BlockAffinitySpec
}

export interface BlockAffinitySpec {
  state: AffinityState
  node: string
  cidr: string
  type?: string
  /** Text, not a boolean: the field is older than the API's types. */
  deleted?: string
}

/** An empty state is old data and means confirmed. */
export type AffinityState = 'pending' | 'confirmed' | 'pendingDeletion' | ''

/** Everything that one container interface holds: block prefix to number of addresses. */
export interface IPAMHandle extends KubeObject {
  spec: { handleID: string; block: Record<string, number>; deleted?: boolean }
}

export interface IPAMConfiguration extends KubeObject {
  spec: { strictAffinity?: boolean; autoAllocateBlocks?: boolean; maxBlocksPerHost?: number }
}

export const ipamBlocks = calicoResource<IPAMBlock>({
  kind: 'IPAMBlock',
  plural: 'ipamblocks',
  shortNames: ['ipamblock', 'block', 'blocks'],
  description: 'A block of addresses of a pool: which are given out, to whom, and which node owns it. Not for editing.',
  printerColumns: [
    { name: 'CIDR', type: 'string', jsonPath: '.spec.cidr' },
    { name: 'Affinity', type: 'string', jsonPath: '.spec.affinity' },
    ageColumn,
  ],
  spec: record(
    'State of the block.',
    {
      cidr: text('Prefix of the block.', { pattern: cidrPattern }),
      affinity: text('Owner as host:<node>; absent when nobody owns it.', { nullable: true }),
      allocations: listOf('For each address in order: an index into attributes, or null when free.', {
        type: 'integer',
        nullable: true,
      }),
      unallocated: listOf('Free addresses, by their number within the block, in the order they will be given out.', {
        type: 'integer',
      }),
      attributes: listOf(
        'Who holds addresses.',
        record('One holder.', {
          handle_id: text('Handle of the holder.', { nullable: true }),
          secondary: {
            ...mapOf('Node, namespace, pod and time of the allocation.', { type: 'string' }),
            nullable: true,
          },
        }),
      ),
      strictAffinity: flag('No longer used.'),
      deleted: flag('The block is about to be deleted; treat it as absent.'),
      sequenceNumber: whole('Grows with every write.', { format: 'int64' }),
      sequenceNumberForAllocation: mapOf('Sequence number at which each address was given out.', {
        type: 'integer',
        format: 'int64',
      }),
      affinityClaimTime: text('When the owner claimed it.', { nullable: true }),
    },
    { required: ['cidr', 'allocations', 'unallocated', 'attributes', 'strictAffinity'] },
  ),
})

export const blockAffinities = calicoResource<BlockAffinity>({
  kind: 'BlockAffinity',
  plural: 'blockaffinities',
  shortNames: ['affinity', 'affinities'],
  description: 'A node claims a block of addresses. Only a confirmed claim is routed. Not for editing.',
  printerColumns: [
    { name: 'Node', type: 'string', jsonPath: '.spec.node' },
    { name: 'CIDR', type: 'string', jsonPath: '.spec.cidr' },
    { name: 'State', type: 'string', jsonPath: '.spec.state' },
    ageColumn,
  ],
  spec: record(
    'The claim.',
    {
      state: text('How far the claim is.', { enum: ['pending', 'confirmed', 'pendingDeletion', ''] }),
      node: text('Name of the node.'),
      cidr: text('Prefix of the block.', { pattern: cidrPattern }),
      type: text('host, or virtual for owners that are no node.'),
      deleted: text('"true" when the claim is about to be deleted.'),
    },
    { required: ['state', 'node', 'cidr'] },
  ),
})

export const ipamHandles = calicoResource<IPAMHandle>({
  kind: 'IPAMHandle',
  plural: 'ipamhandles',
  shortNames: ['ipamhandle', 'handle', 'handles'],
  description: 'Everything that one container interface holds, so that it can be given back at once. Not for editing.',
  printerColumns: [{ name: 'Handle', type: 'string', jsonPath: '.spec.handleID' }, ageColumn],
  spec: record(
    'What is held.',
    {
      handleID: text('Name of the network and ID of the container, as given to the allocation.'),
      block: mapOf('Number of addresses held, by prefix of the block.', { type: 'integer' }),
      deleted: flag('The handle is about to be deleted.'),
    },
    { required: ['handleID', 'block'] },
  ),
})

export const ipamConfigurations = calicoResource<IPAMConfiguration>({
  kind: 'IPAMConfiguration',
  plural: 'ipamconfigurations',
  shortNames: ['ipamconfig', 'ipamconfigs'],
  description: 'How addresses are given out. The one that counts is named default.',
  printerColumns: [
    { name: 'StrictAffinity', type: 'boolean', jsonPath: '.spec.strictAffinity' },
    { name: 'MaxBlocksPerHost', type: 'integer', jsonPath: '.spec.maxBlocksPerHost' },
    ageColumn,
  ],
  spec: record('Settings.', {
    strictAffinity: flag('A node takes addresses from its own blocks only and never borrows from others.'),
    autoAllocateBlocks: flag('A node may claim further blocks when its own are full. Default true.'),
    maxBlocksPerHost: whole('Most blocks that a node may own; 0 means 20.', { minimum: 0 }),
  }),
})
