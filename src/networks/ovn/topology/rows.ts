import type { NorthboundTables } from '../tables/northbound.ts'

export type NorthboundTable = keyof NorthboundTables

/** Points at another desired row by its id. */
export interface Ref {
  readonly table: NorthboundTable
  readonly id: string
}

type Desired<V> = V extends readonly string[] ? readonly (string | Ref)[] : V extends string | undefined ? V | Ref : V

/**
 * A row as it should be. Only the columns that are named are compared and written. The id says whose it is
 * (`topology/…`, `service/…`) and is kept in external_ids under `twinlane-id`; tables without external_ids are
 * recognised by their own unique columns.
 */
export interface DesiredRow<N extends NorthboundTable = NorthboundTable> extends Ref {
  readonly table: N
  readonly columns: { readonly [C in keyof NorthboundTables[N]]?: Desired<NorthboundTables[N][C]> }
  /** Sets of other rows that this row must be an element of; others' elements there are left alone. */
  readonly memberOf: readonly Membership[]
}

export interface Membership extends Ref {
  readonly column: string
}

export const idKey = 'twinlane-id'

/** A desired row, with its id among the external_ids where the table has that column. */
export function row<N extends NorthboundTable>(
  table: N,
  id: string,
  columns: DesiredRow<N>['columns'],
  memberOf: readonly Membership[] = [],
): DesiredRow {
  const withId = hasExternalIds(table)
    ? { ...columns, external_ids: { ...externalIds(columns), [idKey]: id } }
    : columns
  return { table, id, columns: withId, memberOf } as unknown as DesiredRow
}

export function ref(table: NorthboundTable, id: string): Ref {
  return { table, id }
}

export function member(table: NorthboundTable, id: string, column: string): Membership {
  return { table, id, column }
}

export function isRef(value: unknown): value is Ref {
  return typeof value === 'object' && value !== null && 'id' in value && 'table' in value
}

export function hasExternalIds(table: NorthboundTable): boolean {
  return table !== 'Load_Balancer_Group' && table !== 'Static_MAC_Binding'
}

/** The column that names a row for people; unique per table in what this project writes. */
export function naturalKey(table: NorthboundTable, columns: object): string | undefined {
  const { name, logical_port, ip } = columns as { name?: string; logical_port?: string; ip?: string }
  return table === 'Static_MAC_Binding' ? `${logical_port} ${ip}` : table === 'ACL' ? undefined : name
}

function externalIds(columns: object): Record<string, string> {
  return (columns as { external_ids?: Record<string, string> }).external_ids ?? {}
}
