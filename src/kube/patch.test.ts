import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diffMergePatch, isEqualJson, mergePatch } from './patch.ts'

describe('merge patch', () => {
  test('merges objects, removes at null, replaces everything else', () => {
    expect(mergePatch({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null, e: 3 }, d: [2] })).toEqual({
      a: { c: 2, e: 3 },
      d: [2],
    })
    expect(mergePatch('text', { a: { b: null } })).toEqual({ a: {} })
  })

  test('the difference of two objects, patched onto the first, gives the second', () => {
    // null means "remove" in a merge patch, so objects that hold null cannot be expressed.
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.integer(), { maxLength: 2 }))
    const key = fc.constantFrom('a', 'b', 'c')
    const { tree } = fc.letrec((tie) => ({
      tree: fc.dictionary(key, fc.oneof({ depthSize: 'small' }, leaf, tie('tree'))),
    }))
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        const patch = diffMergePatch(before, after)
        expect(patch === undefined).toBe(isEqualJson(before, after))
        expect(isEqualJson(mergePatch(before, patch ?? {}), after)).toBe(true)
      }),
    )
  })
})
