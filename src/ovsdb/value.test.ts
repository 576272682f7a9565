import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ColumnType } from './schema.ts'
import { type Atom, applyDiff, decodeValue, defaultValue, encodeValue, sameValue, type Value } from './value.ts'

const stringSet: ColumnType = { shape: 'set', key: 'string' }
const stringMap: ColumnType = { shape: 'map', key: 'string', value: 'string' }
const integerMap: ColumnType = { shape: 'map', key: 'integer', value: 'integer' }
const optional: ColumnType = { shape: 'optional', key: 'integer' }
const uuid = 'f0ca3f0e-3b1b-4c0a-9a0a-3e8a1a3b5c7d'

describe('the wire notation', () => {
  test('a set with one element is the element alone, and reads as a set', () => {
    expect(decodeValue(stringSet, 'a')).toEqual(['a'])
    expect(decodeValue({ shape: 'set', key: 'uuid' }, ['uuid', uuid])).toEqual([uuid])
  })
  test('an empty optional is undefined', () => {
    expect(decodeValue(optional, ['set', []])).toBeUndefined()
    expect(encodeValue(optional, undefined)).toEqual(['set', []])
  })
  test('integer keys of a map stay integers on the wire', () => {
    expect(encodeValue(integerMap, { 5: 7 })).toEqual(['map', [[5, 7]]])
  })
  test('a row of the same transaction is written by its name', () => {
    expect(encodeValue({ shape: 'set', key: 'uuid' }, [{ namedUuid: 'row0' }, uuid])).toEqual([
      'set',
      [
        ['named-uuid', 'row0'],
        ['uuid', uuid],
      ],
    ])
  })
  test('a key may be any text, __proto__ too', () => {
    expect(Object.keys(decodeValue(stringMap, ['map', [['__proto__', 'x']]]) as object)).toEqual(['__proto__'])
  })
  test('what is written reads back the same', () => {
    const cases = fc.oneof(
      fc.record({ type: fc.constant(stringSet), value: fc.uniqueArray(fc.string()) }),
      fc.record({ type: fc.constant(stringMap), value: fc.dictionary(fc.string(), fc.string()) }),
      fc.record({ type: fc.constant(integerMap), value: fc.dictionary(fc.integer().map(String), fc.integer()) }),
      fc.record({ type: fc.constant(optional), value: fc.option(fc.integer(), { nil: undefined }) }),
    )
    fc.assert(
      fc.property(cases, ({ type, value }) => {
        expect(sameValue(type, decodeValue(type, encodeValue(type, value as Value)), value as Value)).toBe(true)
      }),
    )
  })
})

/** The difference that the server would send. */
function diffOf(before: readonly Atom[], after: readonly Atom[]): unknown {
  return ['set', [...before.filter((a) => !after.includes(a)), ...after.filter((a) => !before.includes(a))]]
}

describe('a modification', () => {
  test('of a set is the symmetric difference', () => {
    const sets = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'))
    fc.assert(
      fc.property(sets, sets, (before, after) => {
        expect([...(applyDiff(stringSet, before, diffOf(before, after)) as string[])].sort()).toEqual([...after].sort())
      }),
    )
  })
  test('of a map adds, replaces, and removes by repeating the value', () => {
    const diff = [
      'map',
      [
        ['new', '1'],
        ['kept', '9'],
        ['gone', '3'],
      ],
    ]
    expect(applyDiff(stringMap, { kept: '2', gone: '3', other: '4' }, diff)).toEqual({
      new: '1',
      kept: '9',
      other: '4',
    })
  })
  test('of an optional is its new value', () => {
    expect(applyDiff(optional, 5, 6)).toBe(6)
    expect(applyDiff(optional, 5, ['set', []])).toBeUndefined()
  })
})

test('what the server leaves out has the default of its type', () => {
  expect(defaultValue({ shape: 'scalar', key: 'string' })).toBe('')
  expect(defaultValue({ shape: 'scalar', key: 'boolean' })).toBe(false)
  expect(defaultValue(optional)).toBeUndefined()
  expect(defaultValue(stringSet)).toEqual([])
  expect(defaultValue(stringMap)).toEqual({})
})
