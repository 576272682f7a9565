import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCidr } from '../../../base/ip.ts'
import type { IPAMBlock } from '../resources.ts'
import {
  addressesOf,
  allocationsOf,
  assignAddress,
  assignNext,
  blockName,
  type Holder,
  holderOf,
  isEmpty,
  newBlock,
  ownerOf,
  releaseHandle,
} from './block.ts'

const fresh = newBlock(parseCidr('10.244.83.0/30'), { nodeName: 'work01', now: 1_700_000_000_000 })

function holder(handleId: string): Holder {
  return { handleId, secondary: { node: 'work01', pod: handleId } }
}

function assignAll(block: IPAMBlock, ...handles: string[]): IPAMBlock {
  return handles.reduce((current, handle) => assignNext(current, holder(handle))?.block ?? current, block)
}

describe('a block', () => {
  it('is named after its prefix and says whose it is', () => {
    expect(blockName('10.244.83.0/24')).toBe('10-244-83-0-24')
    expect(fresh.metadata.name).toBe('10-244-83-0-30')
    expect(ownerOf(fresh)).toBe('work01')
  })

  it('gives out its first and last address too', () => {
    const full = assignAll(fresh, 'a', 'b', 'c', 'd')
    expect(allocationsOf(full).map(({ address }) => address)).toEqual([
      '10.244.83.0',
      '10.244.83.1',
      '10.244.83.2',
      '10.244.83.3',
    ])
    expect(assignNext(full, holder('e'))).toBeUndefined()
  })

  it('reuses an address as late as possible', () => {
    const released = releaseHandle(assignAll(fresh, 'a', 'b'), 'a')
    expect(released?.spec.unallocated).toEqual([2, 3, 0])
    expect(assignNext(released as IPAMBlock, holder('c'))?.address).toBe('10.244.83.2')
  })

  it('gives a certain address once', () => {
    const taken = assignAddress(fresh, '10.244.83.2', holder('a'))
    expect(taken?.address).toBe('10.244.83.2')
    expect(holderOf(taken?.block as IPAMBlock, '10.244.83.2')?.handle_id).toBe('a')
    expect(assignAddress(taken?.block as IPAMBlock, '10.244.83.2', holder('b'))).toBeUndefined()
    expect(assignAddress(fresh, '10.244.84.2', holder('a'))).toBeUndefined()
  })

  it('keeps equal attributes once and drops those of nobody', () => {
    const two = assignAll(fresh, 'a', 'a', 'b')
    expect(two.spec.attributes).toHaveLength(2)
    const left = releaseHandle(two, 'a')
    expect(left?.spec.attributes).toEqual([{ handle_id: 'b', secondary: { node: 'work01', pod: 'b' } }])
    expect(addressesOf(left as IPAMBlock, 'b')).toEqual(['10.244.83.2'])
  })

  it('has nothing to release for a handle that holds nothing', () => {
    expect(releaseHandle(assignAll(fresh, 'a'), 'b')).toBeUndefined()
  })

  it('stays whole through any order of giving and taking back', () => {
    const step = fc.record({ handle: fc.constantFrom('a', 'b', 'c', 'd', 'e'), isRelease: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const held = new Map<string, number>()
        let block = fresh
        for (const { handle, isRelease } of steps) {
          const next = isRelease ? releaseHandle(block, handle) : assignNext(block, holder(handle))?.block
          if (next === undefined) continue
          held.set(handle, isRelease ? 0 : (held.get(handle) ?? 0) + 1)
          expect(next.spec.sequenceNumber).toBe((block.spec.sequenceNumber ?? 0) + 1)
          block = next
        }
        const used = block.spec.allocations.flatMap((index, ordinal) => (index === null ? [] : [ordinal]))
        expect([...used, ...block.spec.unallocated].sort()).toEqual([0, 1, 2, 3])
        for (const [handle, count] of held) expect(addressesOf(block, handle)).toHaveLength(count)
        expect(Object.keys(block.spec.sequenceNumberForAllocation ?? {}).map(Number)).toEqual(used)
        expect(isEmpty(block)).toBe(used.length === 0)
      }),
    )
  })
})
