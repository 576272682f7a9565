import { withDeadline } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import type { Row } from '../../../ovsdb/cache.ts'
import { connectOvsdb } from '../../../ovsdb/client.ts'
import {
  type LogicalRouter,
  type LogicalRouterPort,
  type LogicalSwitch,
  type LogicalSwitchPort,
  type Nat,
  type NorthboundTables,
  northboundColumns,
} from '../tables/northbound.ts'

/** The northbound database at one moment, as far as it is shown. */
export interface NorthboundSnapshot {
  readonly switches: readonly Row<LogicalSwitch>[]
  readonly switchPorts: readonly Row<LogicalSwitchPort>[]
  readonly routers: readonly Row<LogicalRouter>[]
  readonly routerPorts: readonly Row<LogicalRouterPort>[]
  readonly nats: readonly Row<Nat>[]
}

/** Throws TimeoutError when none of the remotes answers. */
export async function readNorthbound(
  remote: string,
  { log, timeoutMs }: { log: Log; timeoutMs: number },
): Promise<NorthboundSnapshot> {
  const { Logical_Switch, Logical_Switch_Port, Logical_Router, Logical_Router_Port, NAT } = northboundColumns
  const tables = { Logical_Switch, Logical_Switch_Port, Logical_Router, Logical_Router_Port, NAT }
  const client = connectOvsdb<NorthboundTables>({ remote, database: 'OVN_Northbound', tables, log })
  const stop = new AbortController()
  try {
    await withDeadline(client.start(stop.signal), { what: `OVN's northbound database at ${remote}`, timeoutMs })
    return {
      switches: [...client.table('Logical_Switch').rows()],
      switchPorts: [...client.table('Logical_Switch_Port').rows()],
      routers: [...client.table('Logical_Router').rows()],
      routerPorts: [...client.table('Logical_Router_Port').rows()],
      nats: [...client.table('NAT').rows()],
    }
  } finally {
    stop.abort()
    await client.stop().catch(() => {})
  }
}
