import { OvsdbError } from './errors.ts'

export type AtomType = 'integer' | 'real' | 'boolean' | 'string' | 'uuid'

/** How a column's value looks in JavaScript; see value.ts. */
export type ColumnShape = 'scalar' | 'optional' | 'set' | 'map'

export interface ColumnType {
  readonly shape: ColumnShape
  readonly key: AtomType
  /** Only for maps. */
  readonly value?: AtomType
}

export interface TableSchema {
  readonly name: string
  readonly columns: ReadonlyMap<string, ColumnType>
  /** Sets of columns that are unique together. */
  readonly indexes: readonly (readonly string[])[]
  /** Rows live without being referenced. */
  readonly isRoot: boolean
}

/** What a database holds, as its server tells (RFC 7047 section 3.2). Read at run time: versions differ. */
export interface DatabaseSchema {
  readonly name: string
  readonly version: string
  readonly tables: ReadonlyMap<string, TableSchema>
}

type RawBase = AtomType | { readonly type: AtomType }
type RawType =
  | AtomType
  | { readonly key: RawBase; readonly value?: RawBase; readonly min?: number; readonly max?: number | 'unlimited' }
interface RawTable {
  readonly columns: Readonly<Record<string, { readonly type: RawType }>>
  readonly indexes?: readonly (readonly string[])[]
  readonly isRoot?: boolean
}
interface RawSchema {
  readonly name: string
  readonly version: string
  readonly tables: Readonly<Record<string, RawTable>>
}

/** Parses the answer to get_schema. */
export function parseSchema(raw: unknown): DatabaseSchema {
  const { name, version, tables } = raw as RawSchema
  const parsed = Object.entries(tables).map(([table, content]) => [table, parseTable(table, content)] as const)
  return { name, version, tables: new Map(parsed) }
}

/** Throws OvsdbError when this server has no such table. */
export function getTable(schema: DatabaseSchema, table: string): TableSchema {
  const found = schema.tables.get(table)
  if (found === undefined) {
    throw new OvsdbError(`table ${table}`, 'unknown table', `${schema.name} ${schema.version} has none of that name`)
  }
  return found
}

/** Throws OvsdbError when this server's table has no such column. */
export function getColumn(schema: DatabaseSchema, table: string, column: string): ColumnType {
  const found = column === '_uuid' ? uuidColumn : getTable(schema, table).columns.get(column)
  if (found === undefined) {
    throw new OvsdbError(
      `table ${table}`,
      'unknown column',
      `${schema.name} ${schema.version} has no column ${column} there`,
    )
  }
  return found
}

const uuidColumn: ColumnType = { shape: 'scalar', key: 'uuid' }

function parseTable(name: string, raw: RawTable): TableSchema {
  const columns = Object.entries(raw.columns).map(([column, { type }]) => [column, parseType(type)] as const)
  return { name, columns: new Map(columns), indexes: raw.indexes ?? [], isRoot: raw.isRoot ?? false }
}

function parseType(raw: RawType): ColumnType {
  if (typeof raw === 'string') return { shape: 'scalar', key: raw }
  const key = atomType(raw.key)
  if (raw.value !== undefined) return { shape: 'map', key, value: atomType(raw.value) }
  const [min, max] = [raw.min ?? 1, raw.max ?? 1]
  if (max !== 1) return { shape: 'set', key }
  return { shape: min === 0 ? 'optional' : 'scalar', key }
}

function atomType(raw: RawBase): AtomType {
  return typeof raw === 'string' ? raw : raw.type
}
