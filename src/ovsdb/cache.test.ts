import { expect, test } from 'vitest'
import { TableCache } from './cache.ts'
import type { ColumnType } from './schema.ts'

interface Port {
  readonly name: string
  readonly addresses: readonly string[]
  readonly up: boolean | undefined
}

const columns = new Map<string, ColumnType>([
  ['name', { shape: 'scalar', key: 'string' }],
  ['addresses', { shape: 'set', key: 'string' }],
  ['up', { shape: 'optional', key: 'boolean' }],
])

function newCache(): TableCache<Port> {
  const cache = new TableCache<Port>('Port')
  cache.setColumns(columns)
  return cache
}

test('columns that an insert leaves out are filled in', () => {
  const cache = newCache()
  cache.apply({ u1: { insert: { name: 'a' } } })
  expect(cache.get('u1')).toEqual({ _uuid: 'u1', name: 'a', addresses: [], up: undefined })
})

test('a modification changes only its columns and tells before and after', () => {
  const cache = newCache()
  cache.apply({ u1: { initial: { name: 'a', addresses: 'x' } } })
  const [change] = cache.apply({ u1: { modify: { addresses: ['set', ['x', 'y']] } } })
  expect(change).toMatchObject({ before: { addresses: ['x'] }, after: { name: 'a', addresses: ['y'] } })
})

test('an index follows insertions, modifications and deletions', () => {
  const cache = newCache()
  const byName = cache.indexBy((row) => row.name)
  cache.apply({ u1: { insert: { name: 'a' } }, u2: { insert: { name: 'b' } } })
  cache.apply({ u1: { modify: { name: 'c' } }, u2: { delete: null } })
  expect([byName.get('a'), byName.get('b'), byName.get('c').map((row) => row._uuid)]).toEqual([[], [], ['u1']])
})

test('a complete listing is told as its differences only', () => {
  const cache = newCache()
  cache.apply({ same: { insert: { name: 'a' } }, gone: { insert: { name: 'b' } } })
  const changes = cache.replace({ same: { initial: { name: 'a' } }, fresh: { initial: { name: 'c' } } })
  expect(changes.map(({ uuid, after }) => [uuid, after?.name])).toEqual([
    ['gone', undefined],
    ['fresh', 'c'],
  ])
})

test('a modification of a row that is not there is ignored', () => {
  expect(newCache().apply({ u1: { modify: { name: 'a' } } })).toEqual([])
})
