import { waitFor } from '../../../base/observable.ts'
import { integrationBridge, managementLogicalPort, managementPort, type NodeSubnet } from '../topology/names.ts'
import { managementMac } from '../topology/node.ts'
import type { NodeContext } from './context.ts'

/** The node's own port on br-int. Resolves when the switch has made its device. */
export async function ensureManagementPort(
  context: NodeContext,
  subnets: readonly NodeSubnet[],
  signal: AbortSignal,
): Promise<void> {
  const { local } = context
  const mac = managementMac(subnets)
  if (!isAsWanted(context, mac)) await writePort(context, mac)
  await waitFor(local.client, () => local.ofport(managementPort), {
    what: `ovs-vswitchd to make ${managementPort}`,
    timeoutMs: 20_000,
    signal,
    detail: () => local.interface(managementPort)?.error,
  })
}

function isAsWanted({ local, nodeName, settings }: NodeContext, mac: string): boolean {
  const row = local.interface(managementPort)
  return (
    row?.mac === mac &&
    row.external_ids['iface-id'] === managementLogicalPort(nodeName) &&
    row.mtu_request === settings.mtuBytes
  )
}

async function writePort({ local, nodeName, settings }: NodeContext, mac: string): Promise<void> {
  const columns = {
    type: 'internal',
    mac,
    mtu_request: settings.mtuBytes,
    external_ids: { 'iface-id': managementLogicalPort(nodeName) },
  }
  await local.transact((transaction) => {
    const existing = local.interface(managementPort)
    if (existing !== undefined) {
      transaction.update('Interface', { _uuid: existing._uuid }, columns)
      return
    }
    const device = transaction.insert('Interface', { name: managementPort, ...columns })
    const port = transaction.insert('Port', { name: managementPort, interfaces: [device] })
    transaction.mutate('Bridge', { name: integrationBridge }, { ports: { insert: [port] } })
  })
}
