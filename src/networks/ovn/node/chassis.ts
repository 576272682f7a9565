import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { findFile, writeFileAtomic } from '../../../base/file.ts'
import { gatewayBridge, physicalNetwork } from '../topology/names.ts'
import type { NodeContext } from './context.ts'
import type { SwitchTransaction } from './local-switch.ts'

/**
 * This node's name in OVN. It is kept, because a new one would leave the old chassis behind with everything bound to
 * it; a switch that has one already keeps it.
 */
export async function ensureSystemId({ local, paths }: NodeContext): Promise<string> {
  const path = join(paths.stateFolder, 'ovn', 'system-id')
  const kept = (await findFile(path))?.trim()
  const id = kept ?? local.root?.external_ids['system-id'] ?? randomUUID()
  if (kept !== undefined) return id
  await mkdir(join(paths.stateFolder, 'ovn'), { recursive: true })
  await writeFileAtomic(path, `${id}\n`)
  return id
}

/** What ovn-controller reads: which database, which tunnels, which bridges. Keys of others stay. */
export async function ensureChassis(context: NodeContext, systemId: string, encapIp: string): Promise<void> {
  const { local } = context
  const root = local.root
  if (root === undefined) return
  await ensureTls(context)
  const wanted = chassisSettings(context, systemId, encapIp)
  const changed = Object.entries(wanted).filter(([key, value]) => root.external_ids[key] !== value)
  const hasTimeout = root.other_config['bundle-idle-timeout'] === '180'
  if (changed.length === 0 && hasTimeout) return
  await rememberBefore(context, Object.keys(wanted))
  await local.transact((transaction) =>
    transaction.mutate(
      'Open_vSwitch',
      {},
      {
        external_ids: { set: Object.fromEntries(changed) },
        other_config: { set: { 'bundle-idle-timeout': '180' } },
      },
    ),
  )
}

/** ovn-controller takes its key and certificates from the switch's database. */
async function ensureTls({ local, settings: { tls } }: NodeContext): Promise<void> {
  if (tls === undefined) return
  const wanted = { private_key: tls.privateKey, certificate: tls.certificate, ca_cert: tls.caCertificate }
  const ssl = local.root?.ssl
  const existing = ssl === undefined ? undefined : local.client.table('SSL').get(ssl)
  if (existing !== undefined && isDeepStrictEqual({ ...existing, _uuid: undefined }, { ...wanted, _uuid: undefined }))
    return
  await local.transact((transaction) => {
    const row = transaction.insert('SSL', wanted)
    transaction.update('Open_vSwitch', {}, { ssl: row })
  })
}

/** What our keys had before, each key as it was the first time that it was written: for `restoreChassis`. */
async function rememberBefore({ local, paths }: NodeContext, keys: readonly string[]): Promise<void> {
  const kept = await readBefore(paths.stateFolder)
  const before = Object.fromEntries(keys.map((key) => [key, local.root?.external_ids[key] ?? null]))
  await writeFileAtomic(beforePath(paths.stateFolder), `${JSON.stringify({ ...before, ...kept })}\n`)
}

/** Puts the switch's settings back as they were before this network wrote any. */
export async function restoreChassis({ paths }: NodeContext, transaction: SwitchTransaction): Promise<void> {
  const before = Object.entries(await readBefore(paths.stateFolder))
  const set = Object.fromEntries(before.filter((entry): entry is [string, string] => entry[1] !== null))
  const unset = before.flatMap(([key, value]) => (value === null ? [key] : []))
  transaction.mutate(
    'Open_vSwitch',
    {},
    { external_ids: { set, unset }, other_config: { unset: ['bundle-idle-timeout'] } },
  )
}

async function readBefore(stateFolder: string): Promise<Record<string, string | null>> {
  return JSON.parse((await findFile(beforePath(stateFolder))) ?? '{}') as Record<string, string | null>
}

function beforePath(stateFolder: string): string {
  return join(stateFolder, 'ovn', 'switch-before.json')
}

function chassisSettings(
  { settings, local, nodeName }: NodeContext,
  systemId: string,
  encapIp: string,
): Record<string, string> {
  const { gatewayInterface } = settings
  const mappings = local.root?.external_ids[mappingsKey]
  return {
    'system-id': systemId,
    hostname: nodeName,
    'ovn-remote': settings.southbound,
    'ovn-encap-type': settings.encapType,
    'ovn-encap-ip': encapIp,
    'ovn-bridge-datapath-type': local.datapathType,
    'ovn-monitor-all': 'true',
    'ovn-remote-probe-interval': '100000',
    'ovn-openflow-probe-interval': '180',
    'ovn-ofctrl-wait-before-clear': '0',
    'ovn-enable-lflow-cache': 'true',
    'ovn-set-local-ip': 'true',
    ...(gatewayInterface === undefined
      ? {}
      : { [mappingsKey]: withMapping(mappings, physicalNetwork, gatewayBridge(gatewayInterface)) }),
  }
}

const mappingsKey = 'ovn-bridge-mappings'

/** Which bridge of this node leads to which physical network; an administrator adds those of localnet networks. */
export function parseMappings(text: string | undefined): Map<string, string> {
  const pairs = (text ?? '').split(',').map((item) => item.trim().split(':'))
  return new Map(pairs.flatMap(([network, bridge]) => (network && bridge ? [[network, bridge]] : [])))
}

/** Physical networks of this node. */
export function bridgeMappings({ local }: Pick<NodeContext, 'local'>): Map<string, string> {
  return parseMappings(local.root?.external_ids[mappingsKey])
}

function withMapping(text: string | undefined, network: string, bridge: string): string {
  return [...parseMappings(text).set(network, bridge)].map((pair) => pair.join(':')).join(',')
}
