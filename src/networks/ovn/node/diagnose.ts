import { describeError } from '../../../base/errors.ts'
import { JsonRpc } from '../../../ovsdb/jsonrpc.ts'

interface Binding {
  readonly chassis: unknown
  readonly up: unknown
}

/**
 * Why a logical port is not installed, as far as the southbound database tells. Asked only after the deadline, over a
 * connection of its own: a copy of all port bindings on every node would cost far more.
 */
export async function diagnoseBinding(options: {
  southbound: string
  logicalPort: string
  systemId: string | undefined
}): Promise<string> {
  const { southbound, logicalPort, systemId } = options
  try {
    const binding = await readBinding(southbound, logicalPort)
    if (binding === undefined) {
      return `the southbound database has no logical port ${logicalPort}: are controller and ovn-northd running?`
    }
    const chassis = binding.chassis?.name
    if (chassis === undefined) {
      return `${logicalPort} is not bound: is ovn-controller running, and are requested-chassis and iface-id-ver right?`
    }
    if (chassis !== systemId) return `${logicalPort} is bound to another chassis, ${chassis}`
    return `${logicalPort} is bound to this chassis, but its flows are not installed: ovn-controller is late`
  } catch (error) {
    return `and the southbound database cannot say why: ${describeError(error)}`
  }
}

async function readBinding(remotes: string, logicalPort: string): Promise<{ chassis?: { name: string } } | undefined> {
  const remote = remotes.split(',')[0]?.trim() ?? ''
  const rpc = await JsonRpc.connect(remote, { timeoutMs: 2000, probeMs: 5000 })
  try {
    const [binding] = await select<Binding>(
      rpc,
      'Port_Binding',
      [['logical_port', '==', logicalPort]],
      ['chassis', 'up'],
    )
    if (binding === undefined) return undefined
    if (!isUuid(binding.chassis)) return {}
    const [chassis] = await select<{ name: string }>(rpc, 'Chassis', [['_uuid', '==', binding.chassis]], ['name'])
    return chassis === undefined ? {} : { chassis }
  } finally {
    rpc.close()
  }
}

async function select<R>(rpc: JsonRpc, table: string, where: unknown[], columns: string[]): Promise<R[]> {
  const answer = await rpc.request('transact', ['OVN_Southbound', { op: 'select', table, where, columns }])
  return (answer as [{ rows?: R[] }])[0].rows ?? []
}

function isUuid(value: unknown): boolean {
  return Array.isArray(value) && value[0] === 'uuid'
}
