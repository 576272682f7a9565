import {
  addressToBigint,
  bigintToAddress,
  type Cidr,
  cidrContains,
  cidrsOverlap,
  formatCidr,
  parseCidr,
} from '../../../base/ip.ts'
import type { AllocationAttributes, IPAMBlock, IPAMBlockSpec } from '../resources.ts'

/** Who takes an address. */
export interface Holder {
  readonly handleId: string
  /** node, namespace, pod, timestamp */
  readonly secondary: Readonly<Record<string, string>>
}

export interface Assignment {
  readonly block: IPAMBlock
  readonly address: string
}

/** `10.244.83.0/24` to `10-244-83-0-24`. */
export function blockName(cidr: string): string {
  return cidr.replaceAll(/[.:/]/g, '-')
}

/** `host:<node>`, the value of a block's `affinity`. */
export function hostAffinity(nodeName: string): string {
  return `host:${nodeName}`
}

/** Name of the node that owns the block, or undefined. */
export function ownerOf(block: IPAMBlock): string | undefined {
  return /^host:(.+)$/.exec(block.spec.affinity ?? '')?.[1]
}

/** A fresh block with every address free; no address is kept back, not even the first and the last. */
export function newBlock(cidr: Cidr, options: { nodeName: string; now: number }): IPAMBlock {
  const size = Number(cidr.last - cidr.first) + 1
  return {
    metadata: { name: blockName(formatCidr(cidr)) },
    spec: {
      cidr: formatCidr(cidr),
      affinity: hostAffinity(options.nodeName),
      allocations: Array.from({ length: size }, () => null),
      unallocated: Array.from({ length: size }, (_, ordinal) => ordinal),
      attributes: [],
      strictAffinity: false,
      deleted: false,
      // Microseconds, not Calico's nanoseconds: those do not fit a JSON number of JavaScript.
      sequenceNumber: options.now * 1000,
      sequenceNumberForAllocation: {},
      affinityClaimTime: new Date(options.now).toISOString(),
    },
  }
}

/** Whether an address is free that nobody has reserved. */
export function hasFree(block: IPAMBlock, reserved: readonly Cidr[] = []): boolean {
  return nextFree(block, reserved) !== undefined
}

export function isEmpty(block: IPAMBlock): boolean {
  return block.spec.allocations.every((index) => index === null)
}

/**
 * Takes the address that has been free for longest and is in no reserved prefix; undefined when there is none. The
 * block is not changed.
 */
export function assignNext(block: IPAMBlock, holder: Holder, reserved: readonly Cidr[] = []): Assignment | undefined {
  const ordinal = nextFree(block, reserved)
  return ordinal === undefined ? undefined : assignOrdinal(block, ordinal, holder)
}

function nextFree(block: IPAMBlock, reserved: readonly Cidr[]): number | undefined {
  const { unallocated, cidr } = block.spec
  if (reserved.length === 0) return unallocated[0]
  const own = parseCidr(cidr)
  const ranges = reserved
    .filter((other) => cidrsOverlap(own, other))
    .map(({ first, last }) => ({ from: Number(first - own.first), to: Number(last - own.first) }))
  return unallocated.find((ordinal) => !ranges.some(({ from, to }) => ordinal >= from && ordinal <= to))
}

/** Takes this address; undefined when it is in use. */
export function assignAddress(block: IPAMBlock, address: string, holder: Holder): Assignment | undefined {
  const ordinal = ordinalOf(block, address)
  return block.spec.allocations[ordinal] === null ? assignOrdinal(block, ordinal, holder) : undefined
}

/** Gives an address that is in use to another holder; undefined when `from` no longer has it. */
export function reassignAddress(
  block: IPAMBlock,
  address: string,
  { from, to }: { from: string; to: Holder },
): Assignment | undefined {
  if (holderOf(block, address)?.handle_id !== from) return undefined
  return assignAddress(releaseAddress(block, address), address, to)
}

/** Handle that holds the address, if any does. */
export function holderOf(block: IPAMBlock, address: string): AllocationAttributes | undefined {
  const index = block.spec.allocations[ordinalOf(block, address)]
  return typeof index === 'number' ? block.spec.attributes[index] : undefined
}

export function addressesOf(block: IPAMBlock, handleId: string): string[] {
  if (!block.spec.attributes.some(({ handle_id }) => handle_id === handleId)) return []
  return ordinalsOf(block.spec, handleId).map((ordinal) => addressAt(block, ordinal))
}

export interface BlockAllocation {
  readonly address: string
  readonly attributes: AllocationAttributes
  /** Of the block when it was given out; 0 in old data. */
  readonly sequenceNumber: number
}

/** Every address that is in use, with its holder. */
export function allocationsOf(block: IPAMBlock): BlockAllocation[] {
  const { allocations, attributes: holders, sequenceNumberForAllocation = {} } = block.spec
  return allocations.flatMap((index, ordinal) => {
    const attributes = index === null ? undefined : holders[index]
    if (attributes === undefined) return []
    const sequenceNumber = sequenceNumberForAllocation[ordinal] ?? 0
    return [{ address: addressAt(block, ordinal), attributes, sequenceNumber }]
  })
}

/** The block without what the handle holds; undefined when it holds nothing. Freed addresses go to the end of the queue. */
export function releaseHandle(block: IPAMBlock, handleId: string): IPAMBlock | undefined {
  const freed = ordinalsOf(block.spec, handleId)
  return freed.length === 0 ? undefined : releaseOrdinals(block, new Set(freed))
}

/** The block where everything that one handle holds is another's; undefined when it holds nothing. */
export function renameHandle(block: IPAMBlock, from: string, to: string): IPAMBlock | undefined {
  const { spec } = block
  if (!spec.attributes.some(({ handle_id }) => handle_id === from)) return undefined
  const attributes = spec.attributes.map((each) => (each.handle_id === from ? { ...each, handle_id: to } : each))
  return { ...block, spec: { ...spec, attributes, sequenceNumber: (spec.sequenceNumber ?? 0) + 1 } }
}

/** The block without the holder of this address, whoever that is. */
export function releaseAddress(block: IPAMBlock, address: string): IPAMBlock {
  return releaseOrdinals(block, new Set([ordinalOf(block, address)]))
}

function releaseOrdinals(block: IPAMBlock, freed: ReadonlySet<number>): IPAMBlock {
  const { spec } = block
  const allocations = [...spec.allocations]
  const sequenceNumberForAllocation = { ...spec.sequenceNumberForAllocation }
  for (const ordinal of freed) {
    allocations[ordinal] = null
    delete sequenceNumberForAllocation[ordinal]
  }
  return {
    ...block,
    spec: pruneAttributes({
      ...spec,
      allocations,
      unallocated: [...spec.unallocated, ...freed],
      sequenceNumber: (spec.sequenceNumber ?? 0) + 1,
      sequenceNumberForAllocation,
    }),
  }
}

function assignOrdinal(block: IPAMBlock, ordinal: number, holder: Holder): Assignment {
  const { spec } = block
  const { attributes, index } = withAttributes(spec.attributes, holder)
  const allocations = [...spec.allocations]
  allocations[ordinal] = index
  const sequenceNumber = spec.sequenceNumber ?? 0
  return {
    address: addressAt(block, ordinal),
    block: {
      ...block,
      spec: {
        ...spec,
        allocations,
        attributes,
        unallocated: spec.unallocated.filter((free) => free !== ordinal),
        sequenceNumber: sequenceNumber + 1,
        sequenceNumberForAllocation: { ...spec.sequenceNumberForAllocation, [ordinal]: sequenceNumber },
      },
    },
  }
}

/** Equal attributes share one place in the list. */
function withAttributes(
  attributes: readonly AllocationAttributes[],
  holder: Holder,
): { attributes: AllocationAttributes[]; index: number } {
  const wanted: AllocationAttributes = { handle_id: holder.handleId, secondary: { ...holder.secondary } }
  const index = attributes.findIndex((known) => isSameHolder(known, wanted))
  return index >= 0
    ? { attributes: [...attributes], index }
    : { attributes: [...attributes, wanted], index: attributes.length }
}

function isSameHolder(a: AllocationAttributes, b: AllocationAttributes): boolean {
  // First what nearly always differs: a block has as many holders as pods.
  if (a.handle_id !== b.handle_id) return false
  const [left, right] = [a.secondary ?? {}, b.secondary ?? {}]
  return (
    Object.keys(left).length === Object.keys(right).length &&
    Object.entries(left).every(([key, value]) => right[key] === value)
  )
}

/** Drops attributes that no address refers to, and numbers the rest anew. */
function pruneAttributes(spec: IPAMBlockSpec): IPAMBlockSpec {
  const used = new Set(spec.allocations)
  const attributes: AllocationAttributes[] = []
  const renumbered = spec.attributes.map((each, index) => (used.has(index) ? attributes.push(each) - 1 : null))
  if (attributes.length === spec.attributes.length) return spec
  return {
    ...spec,
    allocations: spec.allocations.map((index) => (index === null ? null : (renumbered[index] ?? null))),
    attributes,
  }
}

function ordinalsOf({ attributes, allocations }: IPAMBlockSpec, handleId: string): number[] {
  const ordinals: number[] = []
  for (const [ordinal, index] of allocations.entries()) {
    if (index !== null && attributes[index]?.handle_id === handleId) ordinals.push(ordinal)
  }
  return ordinals
}

function addressAt(block: IPAMBlock, ordinal: number): string {
  const cidr = parseCidr(block.spec.cidr)
  return bigintToAddress(cidr.first + BigInt(ordinal), cidr.family)
}

/** -1 for an address outside the block. */
function ordinalOf(block: IPAMBlock, address: string): number {
  const cidr = parseCidr(block.spec.cidr)
  return cidrContains(cidr, address) ? Number(addressToBigint(address) - cidr.first) : -1
}
