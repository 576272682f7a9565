import { silentLog } from '../src/base/log.ts'
import { waitFor } from '../src/base/observable.ts'
import { type OpenVSwitchTables, openVSwitchColumns } from '../src/networks/ovn/tables/open-vswitch.ts'
import { connectOvsdb, type OvsdbClient } from '../src/ovsdb/client.ts'
import { Transaction } from '../src/ovsdb/transaction.ts'
import { type BenchLab, pathOnNode } from './lab.ts'

/** Names of the two figures. */
export const ovnPart = "OVN's own part: port on br-int to ovn-installed, p50"
export const ovnPartWithRow = "OVN's own part with the row in NB, p50"

interface LogicalSwitch {
  readonly name: string
  readonly ports: readonly string[]
}
interface LogicalSwitchPort {
  readonly name: string
  readonly addresses: readonly string[]
}
interface NorthboundGlobal {
  readonly nb_cfg: number
  readonly hv_cfg: number
}
interface NorthboundTables {
  Logical_Switch: LogicalSwitch
  Logical_Switch_Port: LogicalSwitchPort
  NB_Global: NorthboundGlobal
}

/** What OVN needs for a port by itself: the floor under an ADD. */
export interface OvnPortMeasurement {
  /** Port on br-int to ovn-installed, for logical ports that OVN knew: what an ADD waits for. */
  readonly bindMs: readonly number[]
  /** The same, with the logical port written to the northbound database in the same moment. */
  readonly bindWithRowMs: readonly number[]
  /** Takes one more of each. */
  measure(): Promise<void>
  close(): Promise<void>
}

interface Databases {
  readonly node: string
  readonly north: OvsdbClient<NorthboundTables>
  readonly local: OvsdbClient<OpenVSwitchTables>
}

/** Connects to the northbound database and to a node's switch. */
export async function measureOvnPort(lab: BenchLab, node: string): Promise<OvnPortMeasurement> {
  const stop = new AbortController()
  const databases = connect(lab, node)
  const { north, local } = databases
  await Promise.all([north.start(stop.signal), local.start(stop.signal)])
  const [bindMs, bindWithRowMs]: [number[], number[]] = [[], []]
  let index = 0
  return {
    bindMs,
    bindWithRowMs,
    measure: async () => {
      bindMs.push(await measureBind(databases, `floor-${index++}`))
      bindWithRowMs.push(await measureBindWithRow(databases, `floor-${index++}`))
    },
    close: async () => {
      stop.abort()
      await Promise.all([north.stop(), local.stop()])
    },
  }
}

function connect(lab: BenchLab, node: string): Databases {
  const central = lab.status.config.controlPlane
  const north = connectOvsdb<NorthboundTables>({
    remote: `unix:${pathOnNode(lab, central, '/run/ovn/ovnnb_db.sock')}`,
    database: 'OVN_Northbound',
    tables: { Logical_Switch: ['name', 'ports'], Logical_Switch_Port: ['name'], NB_Global: ['nb_cfg', 'hv_cfg'] },
    log: silentLog,
  })
  const local = connectOvsdb<OpenVSwitchTables>({
    remote: `unix:${pathOnNode(lab, node, '/run/openvswitch/db.sock')}`,
    database: 'Open_vSwitch',
    tables: openVSwitchColumns,
    log: silentLog,
  })
  return { node, north, local }
}

async function measureBind(databases: Databases, name: string): Promise<number> {
  const row = await addRow(databases, name)
  await settled(databases)
  const startedAt = performance.now()
  await bind(databases, name)
  const took = performance.now() - startedAt
  await remove(databases, name, row)
  return took
}

async function measureBindWithRow(databases: Databases, name: string): Promise<number> {
  const startedAt = performance.now()
  const [row] = await Promise.all([addRow(databases, name), bind(databases, name)])
  const took = performance.now() - startedAt
  await remove(databases, name, row)
  return took
}

async function addRow({ node, north }: Databases, name: string): Promise<string> {
  const transaction = new Transaction<NorthboundTables>()
  const row = transaction.insert('Logical_Switch_Port', { name, addresses: ['0a:58:0a:90:00:fa 10.144.0.250'] })
  transaction.mutate('Logical_Switch', { name: node }, { ports: { insert: [row] } })
  return (await north.transact(transaction)).uuidOf(row)
}

/** Puts an internal port on br-int and waits for OVN's flows. */
async function bind({ local }: Databases, name: string): Promise<void> {
  const transaction = new Transaction<OpenVSwitchTables>()
  const device = transaction.insert('Interface', { name, type: 'internal', external_ids: { 'iface-id': name } })
  const port = transaction.insert('Port', { name, interfaces: [device], other_config: { transient: 'true' } })
  transaction.mutate('Bridge', { name: 'br-int' }, { ports: { insert: [port] } })
  transaction.mutate('Open_vSwitch', {}, { next_cfg: { add: 1 } })
  await local.transact(transaction)
  const isInstalled = (): true | undefined =>
    local.table('Interface').find((row) => row.name === name)?.external_ids['ovn-installed'] === 'true' || undefined
  await waitFor(local, isInstalled, { what: `OVN to install ${name}`, timeoutMs: 20_000 })
}

async function remove(databases: Databases, name: string, row: string): Promise<void> {
  const { node, north, local } = databases
  const port = local.table('Port').find((each) => each.name === name)
  if (port === undefined) throw new Error(`the switch has no port ${name}`)
  const unplug = new Transaction<OpenVSwitchTables>()
  unplug.mutate('Bridge', { name: 'br-int' }, { ports: { delete: [port._uuid] } })
  unplug.mutate('Open_vSwitch', {}, { next_cfg: { add: 1 } })
  await local.transact(unplug)
  const forget = new Transaction<NorthboundTables>()
  forget.mutate('Logical_Switch', { name: node }, { ports: { delete: [row] } })
  await north.transact(forget)
  await settled(databases)
}

/** Resolves when every node has done what the northbound database says. */
async function settled({ north }: Databases): Promise<void> {
  const transaction = new Transaction<NorthboundTables>()
  transaction.mutate('NB_Global', {}, { nb_cfg: { add: 1 } })
  await north.transact(transaction)
  const isDone = (): true | undefined => {
    const global = [...north.table('NB_Global').rows()][0]
    return (global !== undefined && global.hv_cfg >= global.nb_cfg) || undefined
  }
  await waitFor(north, isDone, { what: 'OVN to settle', timeoutMs: 20_000 })
}
