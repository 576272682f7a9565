import { existsSync } from 'node:fs'
import { tryDetachAll } from '../../meta/detach-all.ts'
import type { AttachmentRecord, RecordedAttachment } from '../attachment-record.ts'
import type { CniContext } from '../cni-server/context.ts'
import { detachmentsOf } from '../cni-server/record.ts'
import { applyRouting } from '../pod-routing/apply.ts'
import { planRecordedChange } from '../pod-routing/plan.ts'

/** What is left, and what could not be taken away: it stays marked. */
export interface Dropped {
  readonly record: AttachmentRecord
  readonly failures: readonly unknown[]
}

/**
 * Takes away what is marked as coming or going, with its routing. What fails keeps its mark on record, so it can be
 * called again; the others go all the same. Throws when the routing cannot be changed: then everything stays.
 */
export async function dropUnsettled(
  record: AttachmentRecord,
  context: CniContext,
  /** @default all that are marked */
  isMeant: (marked: RecordedAttachment) => boolean = () => true,
): Promise<Dropped> {
  const going = record.attachments.filter((item) => item.state !== undefined && isMeant(item))
  if (going.length === 0) return { record, failures: [] }
  await dropRouting(record, going, context)
  // Not to be given up when the agent stops: half a detach is worse than a late one.
  const limit = AbortSignal.timeout(30_000)
  const failed = await tryDetachAll(detachmentsOf({ ...record, attachments: going }, context.networks), limit)
  const stays = new Set(failed.map(({ ref }) => ref.ifName))
  const isGone = (item: RecordedAttachment): boolean => going.includes(item) && !stays.has(item.ifName)
  const left = { ...record, attachments: record.attachments.filter((item) => !isGone(item)) }
  if (left.attachments.length < record.attachments.length) await context.store.change(left)
  return { record: left, failures: failed.map(({ error }) => error) }
}

async function dropRouting(
  record: AttachmentRecord,
  going: readonly RecordedAttachment[],
  context: CniContext,
): Promise<void> {
  if (!existsSync(record.netns)) return
  const before = record.attachments.map((item) => (going.includes(item) ? withoutState(item) : item))
  const after = record.attachments.filter((item) => !going.includes(item))
  await applyRouting(context.kernel, record.netns, planRecordedChange(before, after))
}

/** The attachment as one that counts. */
export function withoutState({ state: _, ...attachment }: RecordedAttachment): RecordedAttachment {
  return attachment
}
