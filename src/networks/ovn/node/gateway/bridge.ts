import { waitFor } from '../../../../base/observable.ts'
import { gatewayBridge } from '../../topology/names.ts'
import type { NodeContext } from '../context.ts'

/** The bridge that holds the gateway interface, with what the host has on it. */
export interface GatewayBridge {
  readonly uplink: string
  readonly bridge: string
  readonly mac: string
  /** The first of each family that pods have, IPv4 first, e.g. `192.168.200.10/24`. */
  readonly addresses: readonly string[]
  /** Of the same families. */
  readonly nextHops: readonly string[]
}

/** The bridge with its own port, which has the NIC's MAC. Resolves when the switch has made its device. */
export async function ensureBridge(
  { local }: NodeContext,
  { uplink, mac }: { uplink: string; mac: string },
  signal: AbortSignal,
): Promise<void> {
  const name = gatewayBridge(uplink)
  if (local.bridge(name) !== undefined) return
  await local.transact((transaction) => {
    const own = transaction.insert('Port', {
      name,
      interfaces: [transaction.insert('Interface', { name, type: 'internal' })],
    })
    const row = transaction.insert('Bridge', {
      name,
      datapath_type: local.datapathType,
      fail_mode: 'standalone',
      other_config: { hwaddr: mac },
      external_ids: { 'bridge-id': name, 'bridge-uplink': uplink },
      ports: [own],
    })
    transaction.mutate('Open_vSwitch', {}, { bridges: { insert: [row] } })
  }, signal)
  await local.applied(signal)
}

/** The NIC in its bridge. Resolves when the switch has taken it up. */
export async function ensureUplink({ local }: NodeContext, uplink: string, signal: AbortSignal): Promise<void> {
  if (local.port(uplink) === undefined) {
    await local.transact((transaction) => {
      const nic = transaction.insert('Port', {
        name: uplink,
        other_config: { transient: 'true' },
        interfaces: [transaction.insert('Interface', { name: uplink })],
      })
      transaction.mutate('Bridge', { name: gatewayBridge(uplink) }, { ports: { insert: [nic] } })
    }, signal)
    await local.applied(signal)
  }
  await waitFor(local.client, () => local.ofport(uplink), {
    what: `ovs-vswitchd to take up ${uplink}`,
    timeoutMs: 20_000,
    signal,
    detail: () => local.interface(uplink)?.error,
  })
}

/** Nothing there is success. */
export async function removeBridge({ local }: NodeContext, uplink: string): Promise<void> {
  const row = local.bridge(gatewayBridge(uplink))
  if (row === undefined) return
  await local.transact((transaction) => transaction.mutate('Open_vSwitch', {}, { bridges: { delete: [row._uuid] } }))
}
