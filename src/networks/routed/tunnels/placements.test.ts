import { describe, expect, it } from 'vitest'
import { parseCidr } from '../../../base/ip.ts'
import { assignNext, newBlock } from '../ipam/block.ts'
import type { AffinityState, BlockAffinity, IPAMBlock } from '../resources.ts'
import type { EncapsulatedPool } from './encapsulation.ts'
import { borrowedIn, placementsIn } from './placements.ts'

const pools: EncapsulatedPool[] = [{ cidr: parseCidr('10.244.0.0/16'), encapsulation: 'vxlan', isCrossSubnet: false }]

function block(cidr: string, owner: string): IPAMBlock {
  return newBlock(parseCidr(cidr), { nodeName: owner, now: 0 })
}

function taken(from: IPAMBlock, node: string): IPAMBlock {
  return assignNext(from, { handleId: `h.${node}`, secondary: { node, pod: 'p', namespace: 'n' } })?.block ?? from
}

function affinity(node: string, cidr: string, state: AffinityState = 'confirmed'): BlockAffinity {
  return { metadata: { name: `${node}-${cidr}` }, spec: { node, cidr, state } }
}

describe('placementsIn', () => {
  it('has the blocks that are certain to be their owners, in the pools that are asked for', () => {
    const blocks = [block('10.244.1.0/24', 'a'), block('10.244.2.0/24', 'b'), block('10.9.0.0/24', 'a')]
    const affinities = [
      affinity('a', '10.244.1.0/24'),
      affinity('b', '10.244.2.0/24', 'pending'),
      affinity('a', '10.9.0.0/24'),
    ]
    expect(placementsIn(pools, blocks, affinities)).toEqual([{ prefix: '10.244.1.0/24', node: 'a' }])
    expect(placementsIn([], blocks, affinities)).toEqual([])
  })

  it("does not believe a claim that the block's owner contradicts", () => {
    const blocks = [block('10.244.1.0/24', 'a')]
    expect(placementsIn(pools, blocks, [affinity('b', '10.244.1.0/24')])).toEqual([])
  })

  it('has borrowed addresses where they are', () => {
    const lent = taken(taken(block('10.244.1.0/24', 'a'), 'a'), 'b')
    expect(placementsIn(pools, [lent], [affinity('a', '10.244.1.0/24')])).toEqual([
      { prefix: '10.244.1.0/24', node: 'a' },
      { prefix: '10.244.1.1/32', node: 'b' },
    ])
  })
})

describe('borrowedIn', () => {
  it('is the same object for the same block, and another for a changed one', () => {
    const lent = taken(block('10.244.1.0/24', 'a'), 'b')
    expect(borrowedIn(lent)).toBe(borrowedIn(lent))
    expect(borrowedIn(taken(lent, 'b'))).toHaveLength(2)
    expect(borrowedIn(taken(block('10.244.1.0/24', 'a'), 'a'))).toEqual([])
  })
})
