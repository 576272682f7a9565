import { expect, test } from 'vitest'
import { parseSchema } from './schema.ts'
import { checkResults, Transaction } from './transaction.ts'

interface Tables {
  Bridge: { name: string; ports: readonly string[]; external_ids: Readonly<Record<string, string>>; next: number }
  Port: { name: string; tag: string | undefined }
}

const set = (type: string) => ({ type: { key: type, min: 0, max: 'unlimited' } })
const schema = parseSchema({
  name: 'Test',
  version: '1.0.0',
  tables: {
    Bridge: {
      columns: {
        name: { type: 'string' },
        next: { type: 'integer' },
        ports: set('uuid'),
        external_ids: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
      },
    },
    Port: { columns: { name: { type: 'string' }, tag: { type: { key: 'string', min: 0 } } } },
  },
})

test('a child is inserted and linked to its parent in one transaction', () => {
  const transaction = new Transaction<Tables>()
  const port = transaction.insert('Port', { name: 'p' })
  transaction.mutate('Bridge', { name: 'b' }, { ports: { insert: [port] } })
  expect(transaction.encode(schema).operations).toEqual([
    { op: 'insert', table: 'Port', 'uuid-name': 'row0', row: { name: 'p' } },
    {
      op: 'mutate',
      table: 'Bridge',
      where: [['name', '==', 'b']],
      mutations: [['ports', 'insert', ['set', [['named-uuid', 'row0']]]]],
    },
  ])
})

test('setting a key of a map deletes it first, because an insert does not overwrite', () => {
  const transaction = new Transaction<Tables>().mutate(
    'Bridge',
    {},
    { external_ids: { set: { k: 'v' }, unset: ['x'] } },
  )
  expect(transaction.encode(schema).operations).toMatchObject([
    {
      mutations: [
        ['external_ids', 'delete', ['set', ['x', 'k']]],
        ['external_ids', 'insert', ['map', [['k', 'v']]]],
      ],
    },
  ])
})

test('a guard fails at once when a row of that name is there', () => {
  const transaction = new Transaction<Tables>().requireAbsent('Bridge', { name: 'b' })
  expect(transaction.encode(schema).operations).toEqual([
    {
      op: 'wait',
      timeout: 0,
      table: 'Bridge',
      where: [['name', '==', 'b']],
      columns: ['name'],
      until: '!=',
      rows: [{ name: 'b' }],
    },
  ])
})

test('a column that this version of the schema lacks is named', () => {
  const transaction = new Transaction<Tables>()
  transaction.insert('Port', { tier: 2 } as never)
  expect(() => transaction.encode(schema)).toThrow('table Port: unknown column: Test 1.0.0 has no column tier there')
})

test('an error of one operation, and one of the commit, name what failed', () => {
  const whats = ['insert into Port', 'mutation of Bridge']
  expect(() => checkResults([{}, { error: 'constraint violation', details: 'why' }], whats)).toThrow(
    'mutation of Bridge: constraint violation: why',
  )
  expect(() => checkResults([{}, {}, { error: 'referential integrity violation' }], whats)).toThrow(
    'commit: referential integrity violation',
  )
  expect(() => checkResults([{}, null], whats)).not.toThrow()
})
