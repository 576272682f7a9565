import { describeError } from '../../../base/errors.ts'
import { JsonRpc } from '../../../ovsdb/jsonrpc.ts'
import type { TlsFiles } from '../../../ovsdb/remote.ts'
import type { LateReason } from './attach-late.ts'

/** Where to look, and for which port. */
export interface BindingQuestion {
  readonly northbound: string
  readonly southbound: string
  readonly tls?: TlsFiles | undefined
  readonly logicalPort: string
  /** This node's name in OVN. */
  readonly systemId: string | undefined
}

/** Why a port is late, for a machine and for a person. */
export interface Diagnosis {
  readonly reason: LateReason
  readonly text: string
}

/**
 * Why a logical port is not installed, as far as the databases tell. Asked only after the deadline, over connections of
 * its own: a copy of all port bindings on every node would cost far more.
 */
export async function diagnoseBinding(question: BindingQuestion): Promise<Diagnosis> {
  try {
    return await withDatabase(question.southbound, question.tls, (southbound) =>
      diagnoseSouthbound(southbound, question),
    )
  } catch (error) {
    return {
      reason: 'database-unreachable',
      text: `the southbound database ${question.southbound} cannot be asked: ${describeError(error)}`,
    }
  }
}

async function diagnoseSouthbound(southbound: Select, question: BindingQuestion): Promise<Diagnosis> {
  const { logicalPort, systemId } = question
  const [binding] = await southbound('Port_Binding', ['logical_port', '==', logicalPort], ['chassis'])
  if (binding === undefined) return await diagnoseMissing(question)
  const stale = await findStaleChassis(southbound, systemId)
  if (stale !== undefined) return { reason: 'chassis-stale', text: stale }
  const chassis = isUuid(binding.chassis)
    ? (await southbound('Chassis', ['_uuid', '==', binding.chassis], ['name']))[0]?.name
    : undefined
  if (chassis === undefined) {
    const what = 'is ovn-controller running, and are requested-chassis and iface-id-ver right?'
    return { reason: 'port-unbound', text: `${logicalPort} is not bound: ${what}` }
  }
  if (chassis !== systemId) {
    return { reason: 'port-elsewhere', text: `${logicalPort} is bound to another chassis, ${chassis}` }
  }
  return {
    reason: 'flows-missing',
    text: `${logicalPort} is bound to this chassis, but its flows are not installed: ovn-controller is late`,
  }
}

/** The controller writes the northbound database, ovn-northd makes the southbound of it. */
async function diagnoseMissing({ northbound, tls, logicalPort }: BindingQuestion): Promise<Diagnosis> {
  const where = `the southbound database has no logical port ${logicalPort}`
  try {
    const found = await withDatabase(northbound, tls, (select) =>
      select('Logical_Switch_Port', ['name', '==', logicalPort], ['_uuid'], 'OVN_Northbound'),
    )
    const who =
      found.length > 0
        ? 'the northbound has: is ovn-northd running?'
        : 'nor has the northbound: is the controller running?'
    return { reason: 'port-missing', text: `${where}, ${who}` }
  } catch {
    return { reason: 'port-missing', text: `${where}: are controller and ovn-northd running?` }
  }
}

/** What is wrong with this node's ovn-controller, by what it has said of itself. */
async function findStaleChassis(southbound: Select, systemId: string | undefined): Promise<string | undefined> {
  if (systemId === undefined) return 'Open vSwitch has no system-id: this node is no chassis'
  const [global] = await southbound('SB_Global', undefined, ['nb_cfg'])
  const [own] = await southbound('Chassis_Private', ['name', '==', systemId], ['nb_cfg', 'nb_cfg_timestamp'])
  if (own === undefined) return `the southbound database has no chassis ${systemId}: is ovn-controller running here?`
  const [wanted, done] = [Number(global?.nb_cfg ?? 0), Number(own.nb_cfg)]
  if (done >= wanted) return undefined
  const last = new Date(Number(own.nb_cfg_timestamp)).toISOString()
  return `ovn-controller of this node is behind: it has done configuration ${done} (at ${last}) of ${wanted}`
}

type Row = Readonly<Record<string, unknown>>
type Select = (
  table: string,
  where: readonly unknown[] | undefined,
  columns: readonly string[],
  database?: string,
) => Promise<Row[]>

/** Asks the first of the remotes that answers. */
async function withDatabase<T>(
  remotes: string,
  tls: TlsFiles | undefined,
  ask: (select: Select) => Promise<T>,
): Promise<T> {
  const rpc = await connectAny(
    remotes.split(',').map((remote) => remote.trim()),
    tls,
  )
  const select: Select = async (table, where, columns, database = 'OVN_Southbound') => {
    const operation = { op: 'select', table, where: where === undefined ? [] : [where], columns }
    const answer = await rpc.request('transact', [database, operation])
    return (answer as [{ rows?: Row[] }])[0].rows ?? []
  }
  try {
    return await ask(select)
  } finally {
    rpc.close()
  }
}

async function connectAny(remotes: readonly string[], tls: TlsFiles | undefined): Promise<JsonRpc> {
  let failure: unknown
  for (const remote of remotes) {
    try {
      return await JsonRpc.connect(remote, { timeoutMs: 2000, probeMs: 5000, tls })
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

function isUuid(value: unknown): boolean {
  return Array.isArray(value) && value[0] === 'uuid'
}
