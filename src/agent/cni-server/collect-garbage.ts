import { runAll } from '../../base/undo.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { CniRequest } from '../../cni/request.ts'
import { detachAll } from '../../meta/detach-all.ts'
import { binFolderOf, parseMetaConfig } from '../../meta/net-conf.ts'
import type { AttachmentKey } from '../../networks/driver.ts'
import type { AttachmentRecord } from '../attachment-record.ts'
import { findBaseNetworks } from '../base-networks.ts'
import type { CniContext } from './context.ts'
import { type GarbageCall, planGarbage, recordedNetworks, type UsedNetwork } from './plan-garbage.ts'
import { detachmentsOf } from './record.ts'
import { isForWholePod } from './select.ts'

/**
 * GC: removes all that belongs to none of the runtime's valid attachments. With a record that cannot be read nothing
 * is collected: what it protects is unknown.
 */
export async function collectGarbage(request: CniRequest, context: CniContext, signal: AbortSignal): Promise<void> {
  if (request.config.disableGC === true) return
  const valid = readValidAttachments(request)
  const { records, corrupt } = await context.store.list()
  if (corrupt[0] !== undefined) throw corrupt[0]
  const isValid = new Set(valid.map(keyOf))
  const stale = records.filter((record) => !isValid.has(keyOf(record)))
  const kept = records.filter((record) => isValid.has(keyOf(record)))
  const keep = [...valid, ...kept.flatMap(keysOf)]
  const recorded = new Set(records.map(keyOf))
  const unrecorded = valid.filter((key) => !recorded.has(keyOf(key)))
  const networks = recordedNetworks(records)
  await runAll('collecting garbage', [
    ...stale.map((record) => () => removeRecord(record, context, signal)),
    ...context.networks.all.map(
      ({ nodeSide }) =>
        () =>
          nodeSide.collectGarbage(keep),
    ),
    async () => void networks.push(...(await baseNetworks(request, context))),
    () => collectOf(planGarbage({ networks, kept, unrecorded }), context, signal),
  ])
}

async function baseNetworks(request: CniRequest, context: CniContext): Promise<UsedNetwork[]> {
  if (!isForWholePod(request)) return []
  const binFolder = binFolderOf(request.config)
  const found = await findBaseNetworks(parseMetaConfig(request.config), '', context)
  return found.map(({ list }) => {
    const driver = context.networks.findDriver(list.plugins[0]?.type ?? '').name
    return { driver, configList: list, binFolder }
  })
}

async function collectOf(calls: readonly GarbageCall[], context: CniContext, signal: AbortSignal): Promise<void> {
  await runAll(
    'collecting garbage of networks',
    calls.map(({ network, valid }) => async () => {
      await context.networks.get(network.driver).nodeSide.collectGarbageOf?.(network, valid, signal)
    }),
  )
}

async function removeRecord(record: AttachmentRecord, context: CniContext, signal: AbortSignal): Promise<void> {
  await detachAll(detachmentsOf(record, context.networks), signal)
  context.store.remove(record)
}

/** `cni.dev/valid-attachments` (CNI 1.1); libcni also sends the same under `cni.dev/attachments`. */
function readValidAttachments(request: CniRequest): AttachmentKey[] {
  const list = request.config['cni.dev/valid-attachments'] ?? request.config['cni.dev/attachments']
  if (!Array.isArray(list)) {
    throw new CniError(cniErrorCode.invalidNetworkConfig, 'GC without the list cni.dev/valid-attachments')
  }
  return list.map((item: { containerID?: unknown; ifname?: unknown } | null) => {
    const { containerID, ifname } = item ?? {}
    if (typeof containerID === 'string' && typeof ifname === 'string')
      return { containerId: containerID, ifName: ifname }
    throw new CniError(
      cniErrorCode.invalidNetworkConfig,
      'an entry of cni.dev/valid-attachments lacks containerID or ifname',
    )
  })
}

function keysOf(record: AttachmentRecord): AttachmentKey[] {
  return record.attachments.map(({ ifName }) => ({ containerId: record.containerId, ifName }))
}

function keyOf(key: AttachmentKey): string {
  return `${key.containerId} ${key.ifName}`
}
