import { KeyedLock } from '../../../base/keyed-lock.ts'
import type { Log } from '../../../base/log.ts'
import { connectOvsdb, type OvsdbClient } from '../../../ovsdb/client.ts'
import { Transaction } from '../../../ovsdb/transaction.ts'
import type { OvnSettings } from '../config.ts'
import { type NorthboundTables, northboundColumns } from '../tables/northbound.ts'
import { NorthboundView } from '../topology/plan.ts'

/**
 * OVN's northbound database for its only writer. Writes happen one after the other, each planned on a copy that shows
 * the one before: so no plan can take back what another has just written into a shared set.
 */
export class Northbound {
  readonly client: OvsdbClient<NorthboundTables>
  readonly view: NorthboundView
  readonly #lock = new KeyedLock()

  constructor({ northbound, tls }: Pick<OvnSettings, 'northbound' | 'tls'>, log: Log) {
    this.client = connectOvsdb<NorthboundTables>({
      remote: northbound,
      tls,
      isLeaderOnly: true,
      database: 'OVN_Northbound',
      tables: northboundColumns,
      log: log.child({ database: 'OVN_Northbound' }),
      probeMs: 180_000,
    })
    this.view = new NorthboundView(this.client)
  }

  /** Resolves with whether anything had to be written. Throws OvsdbError and OvsdbConnectionError. */
  write(plan: (transaction: Transaction<NorthboundTables>) => void): Promise<boolean> {
    return this.#lock.run('write', async () => {
      const transaction = new Transaction<NorthboundTables>()
      plan(transaction)
      if (transaction.isEmpty) return false
      await this.client.transact(transaction)
      return true
    })
  }
}
