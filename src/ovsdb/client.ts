import { defer } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { Lifecycle } from '../base/lifecycle.ts'
import type { Log } from '../base/log.ts'
import { type Changing, Emitter, type Unsubscribe, waitFor } from '../base/observable.ts'
import { retry } from '../base/retry.ts'
import { type RowChange, TableCache, type WireRowUpdate } from './cache.ts'
import { OvsdbConnectionError } from './errors.ts'
import { JsonRpc, type Notification } from './jsonrpc.ts'
import { requireMember } from './membership.ts'
import type { TlsFiles } from './remote.ts'
import { type DatabaseSchema, parseSchema } from './schema.ts'
import { checkResults, type TableTypes, type Transaction } from './transaction.ts'
import type { NamedUuid } from './value.ts'

export interface OvsdbOptions<T extends TableTypes> {
  /** `unix:PATH`, `tcp:ADDRESS:PORT` or `ssl:ADDRESS:PORT`; several, separated by commas, are tried in turn. */
  readonly remote: string
  readonly database: string
  /** Tables to keep a copy of, and their columns. What this server's version lacks is left out. */
  readonly tables: { readonly [N in keyof T & string]?: readonly (keyof T[N] & string)[] }
  readonly log: Log
  /** Silence after which the server is asked for a sign of life; after twice as long the connection ends. @default 60000 */
  readonly probeMs?: number
  /** Needed for `ssl:` remotes. */
  readonly tls?: TlsFiles | undefined
  /** Of a cluster only the leader is taken: for a writer, who must see what was written last. @default false */
  readonly isLeaderOnly?: boolean
  /** How long `transact` waits for a connection. @default 10000 */
  readonly connectTimeoutMs?: number
}

/** What a transaction did. */
export interface Committed {
  /** The UUID of an inserted row. */
  uuidOf(row: NamedUuid): string
  /** Raw results, one an operation. */
  readonly results: readonly unknown[]
}

const noTransaction = '00000000-0000-0000-0000-000000000000'
const monitorId = 'cache'

/**
 * One database with a local copy of the tables asked for. `start` resolves when the copy is complete; from then on it
 * connects again by itself, resuming where the server can and otherwise comparing a new listing with the copy, so that
 * a change that was missed is still told. When `transact` has resolved, the copy already shows what it did.
 */
export class OvsdbClient<T extends TableTypes> implements Lifecycle, Changing {
  readonly #options: OvsdbOptions<T>
  readonly #tables = new Map<string, TableCache<object>>()
  readonly #changes = new Emitter<readonly RowChange[]>()
  readonly #connections = new Emitter<void>()
  readonly #stop = new AbortController()
  #rpc: JsonRpc | undefined
  #schema: DatabaseSchema | undefined
  #lastTransaction = noTransaction
  #loop: Promise<void> = Promise.resolve()
  #attempts = 0

  constructor(options: OvsdbOptions<T>) {
    this.#options = options
    for (const name of Object.keys(options.tables)) this.#tables.set(name, new TableCache(name))
  }

  get isConnected(): boolean {
    return this.#rpc !== undefined
  }

  /** Throws before the first connection. */
  get schema(): DatabaseSchema {
    if (this.#schema === undefined) throw new OvsdbConnectionError(`${this.#options.remote} was never connected`)
    return this.#schema
  }

  /** The copy of a table; empty before `start`. */
  table<N extends keyof T & string>(name: N): TableCache<T[N] & object> {
    const table = this.#tables.get(name)
    if (table === undefined) throw new OvsdbConnectionError(`table ${name} is not monitored`)
    return table as unknown as TableCache<T[N] & object>
  }

  async start(signal: AbortSignal): Promise<void> {
    const synced = defer<void>()
    const stop = AbortSignal.any([signal, this.#stop.signal])
    stop.addEventListener('abort', () => this.#rpc?.close(), { once: true })
    this.#loop = this.#run(stop, synced.resolve).catch((error: unknown) => synced.reject(error))
    await synced.promise
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#rpc?.close()
    await this.#loop
  }

  /** Calls back after every change of the copy and of the connection. */
  onChange(listener: () => void): Unsubscribe {
    const rows = this.#changes.on(listener)
    const connections = this.#connections.on(listener)
    return () => {
      rows()
      connections()
    }
  }

  /** Calls back with the rows that one message of the server changed, in order. */
  onRows(listener: (changes: readonly RowChange[]) => void): Unsubscribe {
    return this.#changes.on(listener)
  }

  /** Calls back when the connection comes or goes. */
  onConnection(listener: () => void): Unsubscribe {
    return this.#connections.on(listener)
  }

  /**
   * Throws OvsdbError naming the operation that failed; OvsdbConnectionError when the connection ended before the
   * answer (look at the copy after the reconnection before trying again); TimeoutError when there is no connection.
   */
  async transact(transaction: Transaction<T>, signal?: AbortSignal): Promise<Committed> {
    const rpc = await this.#connected(signal)
    const { operations, whats } = transaction.encode(this.schema)
    const results = (await rpc.request('transact', [this.#options.database, ...operations])) as unknown[]
    checkResults(results, whats)
    return { results, uuidOf: (row) => uuidOf(operations, results, row) }
  }

  #connected(signal: AbortSignal | undefined): Promise<JsonRpc> {
    const { remote, database, connectTimeoutMs } = this.#options
    return waitFor(this, () => this.#rpc, {
      what: `a connection to ${database} at ${remote}`,
      timeoutMs: connectTimeoutMs ?? 10_000,
      signal,
    })
  }

  async #run(signal: AbortSignal, onSynced: () => void): Promise<void> {
    while (!signal.aborted) {
      const rpc = await this.#connect(signal)
      onSynced()
      const reason = await rpc.closed
      this.#rpc = undefined
      this.#connections.emit()
      if (!signal.aborted) this.#options.log.warn({ error: describeError(reason) }, 'database connection lost')
    }
  }

  #connect(signal: AbortSignal): Promise<JsonRpc> {
    return retry(() => this.#open(signal), {
      signal,
      minDelayMs: 50,
      // A cluster without its leader elects another in about two seconds.
      maxDelayMs: 1000,
      onRetry: (error, delayMs) =>
        this.#options.log.debug({ error: describeError(error), delayMs }, 'database not reached, will retry'),
    })
  }

  async #open(signal: AbortSignal): Promise<JsonRpc> {
    const probeMs = this.#options.probeMs ?? 60_000
    const { tls, database, isLeaderOnly = false, log } = this.#options
    const remote = this.#nextRemote()
    const rpc = await JsonRpc.connect(remote, { timeoutMs: 20_000, probeMs, tls, signal })
    try {
      await requireMember(rpc, { database, isLeaderOnly })
      const isResumed = await this.#synchronise(rpc)
      log.info({ remote, isResumed }, 'database connected')
    } catch (error) {
      rpc.close()
      throw error
    }
    this.#rpc = rpc
    this.#connections.emit()
    return rpc
  }

  #nextRemote(): string {
    const remotes = this.#options.remote.split(',')
    return (remotes[this.#attempts++ % remotes.length] ?? '').trim()
  }

  /** Resolves with whether only what was missed had to be read. */
  async #synchronise(rpc: JsonRpc): Promise<boolean> {
    const { database } = this.#options
    this.#schema = parseSchema(await rpc.request('get_schema', [database]))
    const requests = this.#monitorRequests(this.#schema)
    // Updates may follow the answer in the same read, before the code behind this await runs.
    const early: Notification[] = []
    const unsubscribe = rpc.notifications.on((notification) => early.push(notification))
    const answer = await rpc.request('monitor_cond_since', [database, monitorId, requests, this.#lastTransaction])
    unsubscribe()
    rpc.notifications.on((notification) => this.#notified(notification))
    const [isResumed, transaction, updates] = answer as [boolean, string, WireUpdates]
    this.#lastTransaction = transaction
    this.#publish(this.#take(updates, isResumed ? 'apply' : 'replace'))
    for (const notification of early) this.#notified(notification)
    return isResumed
  }

  #monitorRequests(schema: DatabaseSchema): Record<string, object[]> {
    const requests: Record<string, object[]> = {}
    for (const [name, wanted] of Object.entries(this.#options.tables) as [string, readonly string[]][]) {
      const columns = [...(schema.tables.get(name)?.columns ?? [])].filter(([column]) => wanted.includes(column))
      if (columns.length === 0) continue
      this.#tables.get(name)?.setColumns(new Map(columns))
      requests[name] = [{ columns: columns.map(([column]) => column) }]
    }
    return requests
  }

  #notified({ method, params }: Notification): void {
    if (method !== 'update3' || params[0] !== monitorId) return
    const [, transaction, updates] = params as [unknown, string, WireUpdates]
    this.#lastTransaction = transaction
    this.#publish(this.#take(updates, 'apply'))
  }

  #take(updates: WireUpdates, how: 'apply' | 'replace'): RowChange[] {
    if (how === 'replace')
      return [...this.#tables.values()].flatMap((table) => table.replace(updates[table.name] ?? {}))
    return Object.entries(updates).flatMap(([name, rows]) => this.#tables.get(name)?.apply(rows) ?? [])
  }

  #publish(changes: RowChange[]): void {
    if (changes.length > 0) this.#changes.emit(changes)
  }
}

type WireUpdates = Readonly<Record<string, Readonly<Record<string, WireRowUpdate>>>>

/** Usage: `const client = connectOvsdb<NorthboundTables>({…}); await client.start(signal)`. */
export function connectOvsdb<T extends TableTypes>(options: OvsdbOptions<T>): OvsdbClient<T> {
  return new OvsdbClient(options)
}

function uuidOf(operations: readonly object[], results: readonly unknown[], row: NamedUuid): string {
  const index = operations.findIndex(
    (operation) => (operation as { 'uuid-name'?: string })['uuid-name'] === row.namedUuid,
  )
  const { uuid } = results[index] as { uuid: [string, string] }
  return uuid[1]
}
