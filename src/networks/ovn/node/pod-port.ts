import type { AttachmentRef } from '../../driver.ts'
import type { OvnConfig } from '../config.ts'
import { nadIdKey, networkIdKey } from '../secondary/names.ts'
import { integrationBridge } from '../topology/names.ts'
import { type LocalSwitch, removePorts, type SwitchTransaction } from './local-switch.ts'
import type { PodInterface } from './pod-interface.ts'

/** Which interface of the container a port belongs to; upstream keeps only the sandbox. */
export const ifNameKey = 'twinlane-ifname'

/**
 * Puts the host's end on br-int, in one transaction with the removal of every other port of the same logical port: two
 * of them would both be told that they are installed.
 */
export async function ensurePodPort(
  local: LocalSwitch,
  ref: AttachmentRef<OvnConfig>,
  pod: PodInterface,
  signal: AbortSignal,
): Promise<void> {
  const externalIds = portIds(ref, pod)
  if (isAsWanted(local, pod.hostName, externalIds)) return
  await local.transact((transaction) => {
    removeStale(local, transaction, pod.hostName, externalIds['iface-id'])
    const device = transaction.insert('Interface', { name: pod.hostName, external_ids: externalIds })
    const port = transaction.insert('Port', {
      name: pod.hostName,
      interfaces: [device],
      other_config: { transient: 'true' },
    })
    transaction.mutate('Bridge', { name: integrationBridge }, { ports: { insert: [port] } })
  }, signal)
}

/** Whether OVN has installed the flows of this port on this node. */
export function isInstalled(local: LocalSwitch, hostName: string): boolean {
  return local.interface(hostName)?.external_ids['ovn-installed'] === 'true'
}

/** Names of the container's ports on this switch; all of them when the interface is not known. */
export function podPortNames(local: LocalSwitch, key: { containerId: string; ifName: string }): string[] {
  return local
    .interfacesOfSandbox(key.containerId)
    .filter(({ external_ids }) => (external_ids[ifNameKey] ?? key.ifName) === key.ifName)
    .map(({ name }) => name)
}

/** Removes ports by name. Nothing there is success. */
export async function removePodPorts(local: LocalSwitch, names: readonly string[]): Promise<void> {
  const uuids = names.flatMap((name) => local.port(name)?._uuid ?? [])
  if (uuids.length > 0) await local.transact((transaction) => removePorts(transaction, uuids))
}

function portIds({ pod: { uid }, containerId, ifName, config }: AttachmentRef<OvnConfig>, pod: PodInterface): PortIds {
  const { networkKey, secondary } = config
  return {
    attached_mac: pod.mac,
    'iface-id': pod.logicalPort,
    'iface-id-ver': uid,
    sandbox: containerId,
    ...(pod.addresses.length === 0 ? {} : { ip_addresses: pod.addresses.map(({ address }) => address).join(',') }),
    [ifNameKey]: ifName,
    ...(secondary === undefined ? {} : { [networkIdKey]: secondary.name, [nadIdKey]: networkKey }),
  }
}

type PortIds = Readonly<Record<string, string>> & { readonly 'iface-id': string }

/** ovn-controller adds keys of its own. */
function isAsWanted(local: LocalSwitch, hostName: string, wanted: PortIds): boolean {
  const existing = local.interface(hostName)
  if (existing === undefined || local.interfacesOfLogicalPort(wanted['iface-id']).length !== 1) return false
  return Object.entries(wanted).every(([key, value]) => existing.external_ids[key] === value)
}

function removeStale(local: LocalSwitch, transaction: SwitchTransaction, hostName: string, logicalPort: string): void {
  const names = new Set([hostName, ...local.interfacesOfLogicalPort(logicalPort).map(({ name }) => name)])
  removePorts(
    transaction,
    [...names].flatMap((name) => local.port(name)?._uuid ?? []),
  )
}
