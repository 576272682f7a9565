import { parseCidr } from '../../../base/ip.ts'
import { allocationsOf, ownerOf } from '../../../networks/routed/ipam/block.ts'
import { poolOf } from '../../../networks/routed/ipam/pools.ts'
import type { IPAMBlock } from '../../../networks/routed/resources.ts'
import type { IpamState } from './load.ts'

/** One line of `ipam show`. */
export interface Usage {
  readonly grouping: 'IP Pool' | 'Block'
  readonly cidr: string
  readonly total: number
  readonly inUse: number
}

/** Pools in the order of their prefixes, each with its blocks behind it when they are asked for. */
export function buildUsage({ pools, blocks }: IpamState, options: { withBlocks: boolean }): Usage[] {
  return [...pools]
    .sort((a, b) => byCidr(a.spec.cidr, b.spec.cidr))
    .flatMap((pool): Usage[] => {
      const own = blocks.filter(({ spec }) => poolOf([pool], spec.cidr) !== undefined).sort(byBlock)
      const inUse = own.reduce((sum, block) => sum + allocationsOf(block).length, 0)
      const line: Usage = { grouping: 'IP Pool', cidr: pool.spec.cidr, total: sizeOf(pool.spec.cidr), inUse }
      return options.withBlocks ? [line, ...own.map(blockUsage)] : [line]
    })
}

/** `65536 5 (0%) 65531 (100%)`: at most five significant digits, percent rounded, as calicoctl writes. */
export function usageCells({ grouping, cidr, total, inUse }: Usage): string[] {
  const free = total - inUse
  const share = (count: number): string => `${brief(count)} (${Math.round((100 * count) / total)}%)`
  return [grouping, cidr, brief(total), share(inUse), share(free)]
}

/** An address that a node has borrowed from the block of another. */
export interface Borrowed {
  readonly address: string
  readonly borrower: string
  readonly block: string
  readonly owner: string
  readonly holder: string
}

export function buildBorrowed(blocks: readonly IPAMBlock[]): Borrowed[] {
  return [...blocks].sort(byBlock).flatMap((block) =>
    allocationsOf(block).flatMap(({ address, attributes }): Borrowed[] => {
      const { node, namespace, pod } = attributes.secondary ?? {}
      const owner = ownerOf(block)
      if (node === undefined || node === owner) return []
      const holder = pod === undefined ? (attributes.handle_id ?? '') : `${namespace}/${pod}`
      return [{ address, borrower: node, block: block.spec.cidr, owner: owner ?? 'none', holder }]
    }),
  )
}

function blockUsage(block: IPAMBlock): Usage {
  const { cidr } = block.spec
  return { grouping: 'Block', cidr, total: sizeOf(cidr), inUse: allocationsOf(block).length }
}

function sizeOf(cidr: string): number {
  const { first, last } = parseCidr(cidr)
  return Number(last - first) + 1
}

/** As C's %.5g. */
function brief(count: number): string {
  if (count < 100_000) return String(count)
  const [mantissa = '', exponent = ''] = count.toExponential(4).split('e+')
  return `${Number(mantissa)}e+${exponent.padStart(2, '0')}`
}

function byBlock(a: IPAMBlock, b: IPAMBlock): number {
  return byCidr(a.spec.cidr, b.spec.cidr)
}

/** IPv4 first, then by number. */
export function byCidr(a: string, b: string): number {
  const [left, right] = [parseCidr(a), parseCidr(b)]
  if (left.family !== right.family) return left.family - right.family
  return left.first < right.first ? -1 : left.first > right.first ? 1 : 0
}
