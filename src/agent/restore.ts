import { existsSync } from 'node:fs'
import { describeError } from '../base/errors.ts'
import { detachAll } from '../meta/detach-all.ts'
import type { AttachmentRecord } from './attachment-record.ts'
import type { CniContext } from './cni-server/context.ts'
import { detachmentsOf } from './cni-server/record.ts'
import { presentAttachments, statusAnnotations } from './cni-server/report.ts'
import { dropUnsettled } from './hot-plug/drop-unsettled.ts'

/**
 * Brings the node back in order after the agent was killed or the host restarted: an ADD that never ended is undone, so
 * are attachments whose namespace is gone with its pod or with the host's earlier life, and a running pod's interface
 * that was coming or going; a network-status that did not get out is written. What fails stays on record for the
 * runtime's DEL. Call after the networks have started and before the socket is served.
 */
export async function restoreRecords(context: CniContext, signal: AbortSignal): Promise<void> {
  const { records, corrupt } = await context.store.list()
  for (const error of corrupt) context.log.error({ error: describeError(error), fix: error.fix }, 'corrupt record')
  for (const record of records) {
    if (record.state === 'adding' || isAbandoned(record, context)) await takeBack(record, context, signal)
    else restoreStatus(await settle(record, context), context)
  }
}

/** What was coming or going when the agent was killed goes; hot-plug then looks at the annotation again. */
async function settle(record: AttachmentRecord, context: CniContext): Promise<AttachmentRecord> {
  const { containerId, pod } = record
  const report = (error: unknown): void =>
    context.log.error({ containerId, pod: pod.name, error: describeError(error) }, 'could not take back an interface')
  try {
    const { record: left, failures } = await dropUnsettled(record, context)
    for (const failure of failures) report(failure)
    return left
  } catch (error) {
    report(error)
    return record
  }
}

/** After a restart of the host the runtime knows nothing of the sandbox, though the pod is still to run here. */
function isAbandoned(record: AttachmentRecord, context: CniContext): boolean {
  if (existsSync(record.netns)) return false
  if (context.store.isOfEarlierBoot(record)) return true
  if (!context.pods.hasSynced) return false
  return context.pods.get(record.pod.name, record.pod.namespace)?.metadata.uid !== record.pod.uid
}

async function takeBack(record: AttachmentRecord, context: CniContext, signal: AbortSignal): Promise<void> {
  const { containerId, pod, state } = record
  try {
    await detachAll(detachmentsOf(record, context.networks), AbortSignal.any([signal, AbortSignal.timeout(30_000)]))
    context.store.remove(record)
    context.log.info({ containerId, pod: pod.name, state }, 'took back what nobody needs any more')
  } catch (error) {
    context.log.error({ containerId, pod: pod.name, error: describeError(error) }, 'could not take back an attachment')
  }
}

function restoreStatus(record: AttachmentRecord, context: CniContext): void {
  const pod = context.pods.get(record.pod.name, record.pod.namespace)
  if (!record.isWholePod || pod?.metadata.uid !== record.pod.uid) return
  const attachments = presentAttachments(record)
  const wanted = statusAnnotations({ containerId: record.containerId, attachments }, context)
  const found = pod.metadata.annotations ?? {}
  if (Object.entries(wanted).some(([key, text]) => found[key] !== text)) context.statusWriter.write(record.pod, wanted)
}
