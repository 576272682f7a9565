import type { Row, RowIndex, TableCache } from '../../../ovsdb/cache.ts'
import type { OvsdbClient } from '../../../ovsdb/client.ts'
import { Transaction, type WritableRow } from '../../../ovsdb/transaction.ts'
import { isNamedUuid, type NamedUuid } from '../../../ovsdb/value.ts'
import { type NorthboundTables, northboundColumns } from '../tables/northbound.ts'
import { type DesiredRow, hasExternalIds, idKey, isRef, type NorthboundTable, naturalKey, type Ref } from './rows.ts'

type AnyRow = Row<Record<string, unknown>>
type Uuid = string | NamedUuid

/** The copy of the northbound database with the indexes that planning needs. */
export class NorthboundView {
  readonly client: OvsdbClient<NorthboundTables>
  readonly #byId = new Map<NorthboundTable, RowIndex<object>>()
  readonly #byName = new Map<NorthboundTable, RowIndex<object>>()

  constructor(client: OvsdbClient<NorthboundTables>) {
    this.client = client
    for (const table of Object.keys(northboundColumns) as NorthboundTable[]) {
      const cache = client.table(table) as unknown as TableCache<object>
      this.#byId.set(table, cache.indexBy(idOf))
      this.#byName.set(
        table,
        cache.indexBy((found) => naturalKey(table, found)),
      )
    }
  }

  /** By the id that was written into it, else by name: a row that another tool made under our name is taken over. */
  find({ table, id, columns }: Ref & { columns?: object }): AnyRow | undefined {
    const [byId] = this.#byId.get(table)?.get(id) ?? []
    const name = hasExternalIds(table) ? naturalKey(table, columns ?? {}) : id
    const [byName] = name === undefined ? [] : (this.#byName.get(table)?.get(name) ?? [])
    return (byId ?? byName) as AnyRow | undefined
  }

  /** Whether this server's version has the table, and the column in it. */
  supports(table: string, column?: string): boolean {
    const found = this.client.schema.tables.get(table)
    return found !== undefined && (column === undefined || found.columns.has(column))
  }

  byName<N extends NorthboundTable>(table: N, name: string): Row<NorthboundTables[N]> | undefined {
    const [found] = this.#byName.get(table)?.get(name) ?? []
    return found as Row<NorthboundTables[N]> | undefined
  }

  /** Rows whose id begins with this scope. Bindings have no place for an id; those of gateway routers are the topology's. */
  *ofScope(table: NorthboundTable, scope: string): Iterable<AnyRow> {
    for (const found of this.client.table(table).rows() as Iterable<AnyRow>) {
      const id = table === 'Static_MAC_Binding' ? `topology/${found.logical_port}` : idOf(found)
      if (id?.startsWith(table === 'Static_MAC_Binding' ? `${scope}/rtoe-GR_` : `${scope}/`) === true) yield found
    }
  }
}

/** Where a row that is not a root of the database hangs; removing it there removes it. */
const parents: { readonly [N in NorthboundTable]?: readonly [NorthboundTable, string] } = {
  Logical_Switch_Port: ['Logical_Switch', 'ports'],
  Logical_Router_Port: ['Logical_Router', 'ports'],
  Gateway_Chassis: ['Logical_Router_Port', 'gateway_chassis'],
  Logical_Router_Static_Route: ['Logical_Router', 'static_routes'],
  Logical_Router_Policy: ['Logical_Router', 'policies'],
  NAT: ['Logical_Router', 'nat'],
  ACL: ['Port_Group', 'acls'],
}

/**
 * The transaction that makes rows as desired: what is missing is inserted, columns that differ are updated, and
 * memberships that lack are added. With a scope, rows of it that nobody desires are removed. Empty when all is well.
 * Tables and columns that this server's version does not have yet are left out.
 */
export function planRows(
  view: NorthboundView,
  desired: readonly DesiredRow[],
  options: { scope?: string; transaction?: Transaction<NorthboundTables> } = {},
): Transaction<NorthboundTables> {
  const supported = desired.filter(({ table }) => view.supports(table))
  const plan = new Plan(view, supported, options.transaction ?? new Transaction())
  for (const wanted of supported) plan.ensure(wanted)
  for (const wanted of supported) plan.join(wanted)
  if (options.scope !== undefined) {
    for (const table of Object.keys(northboundColumns) as NorthboundTable[]) plan.removeStrays(table, options.scope)
  }
  return plan.transaction
}

class Plan {
  readonly transaction: Transaction<NorthboundTables>
  readonly #view: NorthboundView
  readonly #desired = new Map<string, DesiredRow>()
  readonly #uuids = new Map<string, Uuid>()

  constructor(view: NorthboundView, desired: readonly DesiredRow[], transaction: Transaction<NorthboundTables>) {
    this.#view = view
    this.transaction = transaction
    for (const wanted of desired) this.#desired.set(keyOf(wanted), wanted)
  }

  ensure(wanted: DesiredRow): Uuid {
    const known = this.#uuids.get(keyOf(wanted))
    if (known !== undefined) return known
    const columns = this.#resolve(wanted)
    const actual = this.#view.find(wanted)
    const uuid = actual?._uuid ?? this.transaction.insert(wanted.table, columns)
    this.#uuids.set(keyOf(wanted), uuid)
    if (actual !== undefined) this.#update(wanted.table, actual, columns)
    return uuid
  }

  join(wanted: DesiredRow): void {
    const uuid = this.ensure(wanted)
    for (const parent of wanted.memberOf) {
      const row = this.#view.find(this.#desired.get(keyOf(parent)) ?? parent)
      const members = row?.[parent.column] as readonly string[] | undefined
      if (typeof uuid === 'string' && members?.includes(uuid) === true) continue
      this.#mutate(parent.table, { _uuid: this.#uuidOf(parent) }, { [parent.column]: { insert: [uuid] } })
    }
  }

  removeStrays(table: NorthboundTable, scope: string): void {
    const strays = [...this.#view.ofScope(table, scope)].filter((row) => !this.#isDesired(table, row))
    if (strays.length === 0) return
    const uuids = strays.map((row) => row._uuid)
    const parent = parents[table]
    if (parent !== undefined) this.#mutate(parent[0], {}, { [parent[1]]: { delete: uuids } })
    else if (table !== 'Meter_Band') for (const _uuid of uuids) this.transaction.delete(table, { _uuid })
  }

  #isDesired(table: NorthboundTable, row: AnyRow): boolean {
    const wanted = this.#desired.get(keyOf({ table, id: idOf(row) ?? naturalKey(table, row) ?? '' }))
    return wanted !== undefined && this.#uuids.get(keyOf(wanted)) === row._uuid
  }

  #uuidOf(target: Ref): Uuid {
    const wanted = this.#desired.get(keyOf(target))
    if (wanted !== undefined) return this.ensure(wanted)
    const actual = this.#view.find(target)
    if (actual === undefined) throw new Error(`${target.table} ${target.id} is referred to but is not there`)
    return actual._uuid
  }

  #resolve(wanted: DesiredRow): WritableRow<NorthboundTables[NorthboundTable]> {
    const isKnown = (value: unknown): boolean => !isRef(value) || this.#view.supports(value.table)
    const resolve = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.filter(isKnown).map(resolve)
      return isRef(value) ? this.#uuidOf(value) : value
    }
    const entries = Object.entries(wanted.columns)
      .filter(([column, value]) => this.#view.supports(wanted.table, column) && isKnown(value))
      .map(([column, value]) => [column, resolve(value)])
    return Object.fromEntries(entries) as WritableRow<NorthboundTables[NorthboundTable]>
  }

  #update(table: NorthboundTable, actual: AnyRow, columns: object): void {
    const changed = Object.entries(columns).filter(([column, value]) => !isSame(actual[column], value))
    if (changed.length === 0) return
    this.transaction.update(table, { _uuid: actual._uuid } as never, Object.fromEntries(changed) as never)
  }

  #mutate(table: NorthboundTable, where: object, mutations: object): void {
    this.transaction.mutate(table, where as never, mutations as never)
  }
}

function keyOf({ table, id }: Ref): string {
  return `${table} ${id}`
}

function idOf(row: object): string | undefined {
  return (row as { external_ids?: Record<string, string> }).external_ids?.[idKey]
}

function isSame(actual: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    const have = new Set(actual as readonly unknown[])
    return have.size === wanted.length && wanted.every((item) => !isNamedUuid(item) && have.has(item))
  }
  if (typeof wanted !== 'object' || wanted === null || isNamedUuid(wanted)) return actual === wanted
  const [a, b] = [actual as Record<string, unknown>, wanted as Record<string, unknown>]
  const keys = Object.keys(b)
  return keys.length === Object.keys(a).length && keys.every((key) => a[key] === b[key])
}
