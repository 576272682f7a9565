import type { ColumnType } from './schema.ts'
import { applyDiff, decodeValue, defaultValue, sameValue, type Value } from './value.ts'

/** A row as the database has it. Never change it. */
export type Row<R> = Readonly<R> & { readonly _uuid: string }

/** What happened to one row. */
export interface RowChange<R = object> {
  readonly table: string
  readonly uuid: string
  /** Absent: the row is new. */
  readonly before: Row<R> | undefined
  /** Absent: the row is gone. */
  readonly after: Row<R> | undefined
}

/** Rows of a table by something computed from them; kept up to date. */
export interface RowIndex<R> {
  get(key: string): readonly Row<R>[]
}

/** One row's part of an update2/update3. A null `delete` is a deletion. */
export interface WireRowUpdate {
  readonly initial?: Readonly<Record<string, unknown>>
  readonly insert?: Readonly<Record<string, unknown>>
  readonly modify?: Readonly<Record<string, unknown>>
  readonly delete?: null
}

type AnyRow = { readonly _uuid: string } & Readonly<Record<string, Value>>

/** The local copy of one table: the columns that are monitored, defaults filled in. */
export class TableCache<R extends object> {
  readonly name: string
  #columns: ReadonlyMap<string, ColumnType> = new Map()
  #rows = new Map<string, AnyRow>()
  readonly #indexes: KeyIndex[] = []

  constructor(name: string) {
    this.name = name
  }

  get size(): number {
    return this.#rows.size
  }

  rows(): Iterable<Row<R>> {
    return this.#rows.values() as Iterable<AnyRow> as Iterable<Row<R>>
  }

  get(uuid: string): Row<R> | undefined {
    return this.#rows.get(uuid) as Row<R> | undefined
  }

  /** The first row that meets the condition; looks at all. */
  find(condition: (row: Row<R>) => boolean): Row<R> | undefined {
    for (const row of this.rows()) if (condition(row)) return row
    return undefined
  }

  /** Rows are found under the key that `keyOf` gives; undefined keeps a row out of the index. */
  indexBy(keyOf: (row: Row<R>) => string | undefined): RowIndex<R> {
    const index = new KeyIndex(keyOf as (row: never) => string | undefined)
    for (const row of this.#rows.values()) index.put(undefined, row)
    this.#indexes.push(index)
    return { get: (key) => index.get(key) as readonly object[] as readonly Row<R>[] }
  }

  /** The columns that the next updates speak of. Rows that are there keep what they have until they are replaced. */
  setColumns(columns: ReadonlyMap<string, ColumnType>): void {
    this.#columns = columns
  }

  apply(updates: Readonly<Record<string, WireRowUpdate>>): RowChange<R>[] {
    return Object.entries(updates).flatMap(([uuid, update]) => this.#applyRow(uuid, update))
  }

  /** Takes a complete listing in place of what is there; what is equal is no change. */
  replace(updates: Readonly<Record<string, WireRowUpdate>>): RowChange<R>[] {
    const gone = [...this.#rows.keys()].filter((uuid) => updates[uuid] === undefined)
    return [...gone.flatMap((uuid) => this.#put(uuid, undefined)), ...this.apply(updates)]
  }

  #applyRow(uuid: string, update: WireRowUpdate): RowChange<R>[] {
    const whole = update.initial ?? update.insert
    if (whole !== undefined) return this.#put(uuid, this.#decode(uuid, whole))
    const before = this.#rows.get(uuid)
    if (update.modify !== undefined && before !== undefined) return this.#put(uuid, this.#modify(before, update.modify))
    return update.delete === undefined ? [] : this.#put(uuid, undefined)
  }

  #decode(uuid: string, wire: Readonly<Record<string, unknown>>): AnyRow {
    const row: Record<string, Value> = { _uuid: uuid }
    for (const [column, type] of this.#columns) {
      row[column] = column in wire ? decodeValue(type, wire[column]) : defaultValue(type)
    }
    return row as AnyRow
  }

  #modify(before: AnyRow, wire: Readonly<Record<string, unknown>>): AnyRow {
    const row: Record<string, Value> = { ...before }
    for (const [column, value] of Object.entries(wire)) {
      const type = this.#columns.get(column)
      if (type !== undefined) row[column] = applyDiff(type, before[column], value)
    }
    return row as AnyRow
  }

  #put(uuid: string, after: AnyRow | undefined): RowChange<R>[] {
    const before = this.#rows.get(uuid)
    if (before !== undefined && after !== undefined && this.#isSame(before, after)) return []
    if (before === undefined && after === undefined) return []
    if (after === undefined) this.#rows.delete(uuid)
    else this.#rows.set(uuid, after)
    for (const index of this.#indexes) index.put(before, after)
    return [{ table: this.name, uuid, before, after } as unknown as RowChange<R>]
  }

  #isSame(a: AnyRow, b: AnyRow): boolean {
    for (const [column, type] of this.#columns) if (!sameValue(type, a[column], b[column])) return false
    return true
  }
}

class KeyIndex {
  readonly #keyOf: (row: never) => string | undefined
  readonly #rows = new Map<string, Map<string, AnyRow>>()

  constructor(keyOf: (row: never) => string | undefined) {
    this.#keyOf = keyOf
  }

  get(key: string): readonly AnyRow[] {
    const found = this.#rows.get(key)
    return found === undefined ? [] : [...found.values()]
  }

  put(before: AnyRow | undefined, after: AnyRow | undefined): void {
    if (before !== undefined) this.#remove(this.#keyOf(before as never), before._uuid)
    const key = after === undefined ? undefined : this.#keyOf(after as never)
    if (after === undefined || key === undefined) return
    const rows = this.#rows.get(key) ?? new Map<string, AnyRow>()
    rows.set(after._uuid, after)
    this.#rows.set(key, rows)
  }

  #remove(key: string | undefined, uuid: string): void {
    const rows = key === undefined ? undefined : this.#rows.get(key)
    rows?.delete(uuid)
    if (key !== undefined && rows?.size === 0) this.#rows.delete(key)
  }
}
