import { existsSync } from 'node:fs'
import { describeError } from '../../base/errors.ts'
import { runAll } from '../../base/undo.ts'
import { emptyResult } from '../../cni/result.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import { NetworkAnnotationError } from '../../kube/resources/network-selection.ts'
import { parseMetaConfig } from '../../meta/net-conf.ts'
import { NetworkSelectionError } from '../../meta/select/error.ts'
import { readPodNetworks } from '../../meta/select/pod-networks.ts'
import type { AttachmentKey } from '../../networks/driver.ts'
import type { AttachmentRecord, RecordedAttachment } from '../attachment-record.ts'
import type { CniContext } from '../cni-server/context.ts'
import { reportAdded, reportStatus } from '../cni-server/report.ts'
import { planRecordedRouting } from '../pod-routing/plan.ts'
import { attachInterface, type PluggablePod } from './attach-interface.ts'
import { dropUnsettled } from './drop-unsettled.ts'
import { type HotPlugPlan, planHotPlug } from './plan-hot-plug.ts'

/**
 * Detaches what a running pod's annotation no longer asks for and attaches what it asks for anew. One that fails gets a
 * Warning event and leaves the others alone. An annotation that cannot be read changes nothing. Call it under the
 * container's lock. Throws when something is left to be done.
 */
export async function followAnnotation(
  pod: PodResource,
  key: AttachmentKey,
  context: CniContext,
  signal: AbortSignal,
): Promise<void> {
  const found = context.store.find(key)
  if (found?.state !== 'added' || found.config === undefined || !existsSync(found.netns)) return
  const { config } = found
  const record = await dropUnsettled(found, context)
  const plan = readPlan(pod, { record, config }, context)
  const isChanged = plan !== undefined && plan.detach.length + plan.attach.length > 0
  if (plan !== undefined && (isChanged || record !== found)) {
    await carryOut(plan, { record, config, pod }, context, signal)
  }
}

/** Undefined after a Warning event: a retry could not do better before the annotation is edited. */
function readPlan(
  pod: PodResource,
  { record, config }: Pick<PluggablePod, 'record' | 'config'>,
  context: CniContext,
): HotPlugPlan<RecordedAttachment> | undefined {
  try {
    const { selections } = readPodNetworks(pod, parseMetaConfig(config), record.ifName)
    return planHotPlug(record.attachments, selections)
  } catch (error) {
    const isOfPod = error instanceof NetworkAnnotationError || error instanceof NetworkSelectionError
    if (!isOfPod) throw error
    context.events.event(pod, 'Warning', 'InvalidNetworks', describeError(error))
    return undefined
  }
}

async function carryOut(
  plan: HotPlugPlan<RecordedAttachment>,
  running: PluggablePod,
  context: CniContext,
  signal: AbortSignal,
): Promise<void> {
  const { pod, config } = running
  let record = await detach(plan.detach, running, context)
  const attachNext = (wanted: (typeof plan.attach)[number]) => async (): Promise<void> => {
    try {
      record = await attachInterface(wanted, { record, config, pod }, context, signal)
    } catch (error) {
      context.events.event(pod, 'Warning', 'FailedAttachment', describeError(error))
      throw error
    }
  }
  try {
    await runAll('attaching networks to a running pod', plan.attach.map(attachNext))
  } finally {
    report(running, record, context)
  }
}

async function detach(
  going: readonly RecordedAttachment[],
  { record, pod }: PluggablePod,
  context: CniContext,
): Promise<AttachmentRecord> {
  if (going.length === 0) return record
  const mark = (item: RecordedAttachment): RecordedAttachment =>
    going.includes(item) ? { ...item, state: 'detaching' } : item
  const marked = { ...record, attachments: record.attachments.map(mark) }
  await context.store.change(marked)
  const left = await dropUnsettled(marked, context)
  for (const { ifName, networkName } of going) {
    context.events.event(pod, 'Normal', 'RemovedInterface', `Remove ${ifName} from ${networkName}`)
  }
  return left
}

function report({ record: before, pod }: PluggablePod, record: AttachmentRecord, context: CniContext): void {
  const { results } = planRecordedRouting(record.attachments)
  const attachments = record.attachments.map((item, index) => ({ ...item, result: results[index] ?? emptyResult }))
  reportStatus({ ref: record.pod, containerId: record.containerId, attachments }, context)
  const isNew = (item: RecordedAttachment): boolean => before.attachments.every((old) => !isSameInterface(old, item))
  for (const item of attachments.filter(isNew)) reportAdded(pod, item, context)
}

/** One made anew under the same name has another selection. */
function isSameInterface(a: RecordedAttachment, b: RecordedAttachment): boolean {
  return a.ifName === b.ifName && a.selection === b.selection
}
