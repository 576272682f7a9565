import { OvsdbError } from './errors.ts'
import { type ColumnType, type DatabaseSchema, getColumn, getTable } from './schema.ts'
import { encodeKeys, encodeValue, type NamedUuid, type WritableValue } from './value.ts'

/** Types of the rows of each table, hand-written for the columns in use. */
export type TableTypes = object

/** Columns to write: any of the table's, with references to rows of the same transaction allowed. */
export type WritableRow<R> = { readonly [C in keyof R]?: Writable<R[C]> | undefined }
type Writable<V> = V extends readonly string[]
  ? readonly (string | NamedUuid)[]
  : V extends string | undefined
    ? V | NamedUuid
    : V

/** Which rows: those whose columns have these values, `_uuid` among them. An empty object selects every row. */
export type Where<R> = { readonly [C in keyof R]?: R[C] | undefined } & { readonly _uuid?: string | NamedUuid }

/** Changes that keep what others wrote into the same column. */
export type Mutations<R> = { readonly [C in keyof R]?: Mutation }
export interface Mutation {
  /** Elements to add to a set. Those that are there already do not matter. */
  readonly insert?: readonly (string | number | NamedUuid)[]
  /** Elements to remove from a set. */
  readonly delete?: readonly (string | number)[]
  /** Keys of a map to set, whether or not they are there. */
  readonly set?: Readonly<Record<string, string | NamedUuid>>
  /** Keys of a map to remove. */
  readonly unset?: readonly string[]
  /** To add to a number. */
  readonly add?: number
}

type Operation = { readonly what: string; encode(schema: DatabaseSchema): object[] }

/**
 * Operations that take effect together or not at all, in order. It is built without a connection; names and types are
 * checked against the server's schema when it is sent.
 */
export class Transaction<T extends TableTypes> {
  readonly #operations: Operation[] = []
  #names = 0

  get isEmpty(): boolean {
    return this.#operations.length === 0
  }

  /** The result names the new row in later operations of this transaction. Rows of non-root tables vanish unless referenced. */
  insert<N extends keyof T & string>(table: N, row: WritableRow<T[N]>): NamedUuid {
    const namedUuid = `row${this.#names++}`
    this.#push(`insert into ${table}`, (schema) => [
      { op: 'insert', table, 'uuid-name': namedUuid, row: encodeRow(schema, table, row) },
    ])
    return { namedUuid }
  }

  update<N extends keyof T & string>(table: N, where: Where<T[N]>, row: WritableRow<T[N]>): this {
    return this.#push(`update of ${table}`, (schema) => [
      { op: 'update', table, where: encodeWhere(schema, table, where), row: encodeRow(schema, table, row) },
    ])
  }

  mutate<N extends keyof T & string>(table: N, where: Where<T[N]>, mutations: Mutations<T[N]>): this {
    return this.#push(`mutation of ${table}`, (schema) => [
      {
        op: 'mutate',
        table,
        where: encodeWhere(schema, table, where),
        mutations: Object.entries(mutations).flatMap(([column, mutation]) =>
          encodeMutation(column, getColumn(schema, table, column), mutation as Mutation),
        ),
      },
    ])
  }

  delete<N extends keyof T & string>(table: N, where: Where<T[N]>): this {
    return this.#push(`deletion from ${table}`, (schema) => [
      { op: 'delete', table, where: encodeWhere(schema, table, where) },
    ])
  }

  /** Fails the transaction (`timed out`) when a row of that name exists: names are not unique in every table. */
  requireAbsent<N extends keyof T & string>(table: N, where: Where<T[N]>): this {
    return this.#wait(table, where, '!=')
  }

  /** Fails the transaction (`timed out`) unless a row with these values exists. */
  requirePresent<N extends keyof T & string>(table: N, where: Where<T[N]>): this {
    return this.#wait(table, where, '==')
  }

  /** Shown in the server's log. */
  comment(text: string): this {
    return this.#push('comment', () => [{ op: 'comment', comment: text }])
  }

  /** The operations for the wire, and what each is for messages. Throws OvsdbError on names that the schema lacks. */
  encode(schema: DatabaseSchema): { operations: object[]; whats: string[] } {
    const encoded = this.#operations.flatMap(({ what, encode }) =>
      encode(schema).map((operation) => ({ what, operation })),
    )
    return { operations: encoded.map(({ operation }) => operation), whats: encoded.map(({ what }) => what) }
  }

  #wait<N extends keyof T & string>(table: N, where: Where<T[N]>, until: '==' | '!='): this {
    return this.#push(`wait for ${table}`, (schema) => {
      const columns = Object.keys(where)
      const conditions = encodeWhere(schema, table, where)
      const row = Object.fromEntries(conditions.map(([column, , value]) => [column, value]))
      return [{ op: 'wait', timeout: 0, table, where: conditions, columns, until, rows: [row] }]
    })
  }

  #push(what: string, encode: (schema: DatabaseSchema) => object[]): this {
    this.#operations.push({ what, encode })
    return this
  }
}

/** Throws OvsdbError for the first operation that failed; the server adds an element when only the commit failed. */
export function checkResults(results: readonly unknown[], whats: readonly string[]): void {
  for (const [index, result] of results.entries()) {
    const { error, details } = (result ?? {}) as { error?: string; details?: string }
    if (typeof error === 'string') throw new OvsdbError(whats[index] ?? 'commit', error, details)
  }
}

function encodeRow(schema: DatabaseSchema, table: string, row: object): Record<string, unknown> {
  getTable(schema, table)
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      encodeValue(getColumn(schema, table, column), value as WritableValue),
    ]),
  )
}

function encodeWhere(schema: DatabaseSchema, table: string, where: object): [string, string, unknown][] {
  return Object.entries(encodeRow(schema, table, where)).map(([column, value]) => [column, '==', value])
}

/** A map's insert does not overwrite, so a key is deleted before it is set. */
function encodeMutation(column: string, type: ColumnType, mutation: Mutation): [string, string, unknown][] {
  const { insert, delete: remove, set, unset, add } = mutation
  const gone = [...(unset ?? []), ...Object.keys(set ?? {})]
  return [
    ...(remove === undefined ? [] : [entry(column, 'delete', encodeValue(type, remove))]),
    ...(insert === undefined ? [] : [entry(column, 'insert', encodeValue(type, insert))]),
    ...(gone.length === 0 ? [] : [entry(column, 'delete', encodeKeys(type, gone))]),
    ...(set === undefined ? [] : [entry(column, 'insert', encodeValue(type, set))]),
    ...(add === undefined ? [] : [entry(column, '+=', add)]),
  ]
}

function entry(column: string, mutator: string, value: unknown): [string, string, unknown] {
  return [column, mutator, value]
}
