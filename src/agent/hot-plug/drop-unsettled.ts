import { existsSync } from 'node:fs'
import { detachAll } from '../../meta/detach-all.ts'
import { type AttachmentRecord, type RecordedAttachment, settledAttachments } from '../attachment-record.ts'
import type { CniContext } from '../cni-server/context.ts'
import { detachmentsOf } from '../cni-server/record.ts'
import { applyRouting } from '../pod-routing/apply.ts'
import { planRecordedChange } from '../pod-routing/plan.ts'

/**
 * Takes away what is marked as coming or going, with its routing, and resolves with the record of what stays. Until
 * then the marks stay on record: it can be called again after any failure.
 */
export async function dropUnsettled(record: AttachmentRecord, context: CniContext): Promise<AttachmentRecord> {
  const settled = { ...record, attachments: settledAttachments(record) }
  const going = record.attachments.filter(({ state }) => state !== undefined)
  if (going.length === 0) return record
  if (existsSync(record.netns)) {
    const plan = planRecordedChange(record.attachments.map(withoutState), settled.attachments)
    await applyRouting(context.kernel, record.netns, plan)
  }
  // Not to be given up when the agent stops: half a detach is worse than a late one.
  const limit = AbortSignal.timeout(30_000)
  await detachAll(detachmentsOf({ ...record, attachments: going }, context.networks), limit)
  await context.store.change(settled)
  return settled
}

/** The attachment as one that counts. */
export function withoutState({ state: _, ...attachment }: RecordedAttachment): RecordedAttachment {
  return attachment
}
