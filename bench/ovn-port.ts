import { exec } from '../src/base/exec.ts'
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
  /** So many ports, each database told in one transaction, until all are installed. */
  measureBurst(count: number): Promise<number>
  /** Transactions that the northbound database has taken so far. */
  transactions(): Promise<number>
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
    measureBurst: (count) => measureBurst(databases, count),
    transactions: () => countTransactions(lab),
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

async function measureBurst(databases: Databases, count: number): Promise<number> {
  const { node, north, local } = databases
  const names = Array.from({ length: count }, (_, index) => `burst-${index}`)
  const rows = new Transaction<NorthboundTables>()
  const inserted = names.map((name, index) =>
    rows.insert('Logical_Switch_Port', { name, addresses: [`0a:58:0a:90:ff:${hex(index)} 10.144.0.${index + 3}`] }),
  )
  rows.mutate('Logical_Switch', { name: node }, { ports: { insert: inserted } })
  const startedAt = performance.now()
  const [{ uuidOf }] = await Promise.all([north.transact(rows), bindAll(databases, names)])
  const took = performance.now() - startedAt
  const ports = [...local.table('Port').rows()].filter(({ name }) => names.includes(name))
  await unplug(
    databases,
    ports.map(({ _uuid }) => _uuid),
  )
  const forget = new Transaction<NorthboundTables>()
  forget.mutate('Logical_Switch', { name: node }, { ports: { delete: inserted.map(uuidOf) } })
  await north.transact(forget)
  await settled(databases)
  return took
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

/** The log of the database has one record a transaction. */
async function countTransactions(lab: BenchLab): Promise<number> {
  const file = pathOnNode(lab, lab.status.config.controlPlane, '/var/lib/ovn/ovnnb_db.db')
  const { stdout } = await exec('ovsdb-tool', ['show-log', file])
  return stdout.split('\n').filter((line) => line.startsWith('record ')).length
}

async function addRow({ node, north }: Databases, name: string): Promise<string> {
  const transaction = new Transaction<NorthboundTables>()
  const row = transaction.insert('Logical_Switch_Port', { name, addresses: ['0a:58:0a:90:00:fa 10.144.0.250'] })
  transaction.mutate('Logical_Switch', { name: node }, { ports: { insert: [row] } })
  return (await north.transact(transaction)).uuidOf(row)
}

/** Puts an internal port on br-int and waits for OVN's flows. */
function bind(databases: Databases, name: string): Promise<void> {
  return bindAll(databases, [name])
}

async function bindAll({ local }: Databases, names: readonly string[]): Promise<void> {
  const transaction = new Transaction<OpenVSwitchTables>()
  const ports = names.map((name) => {
    const device = transaction.insert('Interface', { name, type: 'internal', external_ids: { 'iface-id': name } })
    return transaction.insert('Port', { name, interfaces: [device], other_config: { transient: 'true' } })
  })
  transaction.mutate('Bridge', { name: 'br-int' }, { ports: { insert: ports } })
  transaction.mutate('Open_vSwitch', {}, { next_cfg: { add: 1 } })
  await local.transact(transaction)
  const wanted = new Set(names)
  const areInstalled = (): true | undefined => {
    const installed = [...local.table('Interface').rows()].filter(
      (row) => wanted.has(row.name) && row.external_ids['ovn-installed'] === 'true',
    )
    return installed.length === wanted.size || undefined
  }
  await waitFor(local, areInstalled, { what: `OVN to install ${names.length} ports`, timeoutMs: 60_000 })
}

async function unplug({ local }: Databases, ports: readonly string[]): Promise<void> {
  const transaction = new Transaction<OpenVSwitchTables>()
  transaction.mutate('Bridge', { name: 'br-int' }, { ports: { delete: ports } })
  transaction.mutate('Open_vSwitch', {}, { next_cfg: { add: 1 } })
  await local.transact(transaction)
}

async function remove(databases: Databases, name: string, row: string): Promise<void> {
  const { node, north, local } = databases
  const port = local.table('Port').find((each) => each.name === name)
  if (port === undefined) throw new Error(`the switch has no port ${name}`)
  await unplug(databases, [port._uuid])
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
