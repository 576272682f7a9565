import { describeError } from '../../base/errors.ts'
import { UndoStack } from '../../base/undo.ts'
import type { CniRequest } from '../../cni/request.ts'
import type { Turn } from '../../cni/request-lane.ts'
import type { CniResult } from '../../cni/result.ts'
import { resultToVersion } from '../../cni/versions.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import { type Attached, attachAll } from '../../meta/attach-all.ts'
import { detachAll } from '../../meta/detach-all.ts'
import { mergeResults } from '../../meta/merge-results.ts'
import type { SelectedAttachment } from '../../meta/select/types.ts'
import type { PodRef } from '../../networks/driver.ts'
import type { AttachmentRecord, RecordedAttachment } from '../attachment-record.ts'
import { getPod, readPodRef } from '../pod-lookup.ts'
import { applyRouting } from '../pod-routing/apply.ts'
import { assignRecordedRouting } from '../pod-routing/assign.ts'
import { observeRoutes } from '../pod-routing/observe.ts'
import { planRecordedRouting } from '../pod-routing/plan.ts'
import type { CniContext } from './context.ts'
import { completedRecord, detachmentsOf, intendedRecord } from './record.ts'
import { refuseTaken } from './refuse-taken.ts'
import { reportAttached } from './report.ts'
import { getNetns } from './sandbox.ts'
import { isForWholePod, refuseWithoutPod, selectAlone, selectForContainer, selectForPod } from './select.ts'

/** ADD: attaches all of a pod's networks or none. Resolves with the result in the caller's version. */
export async function add(
  request: CniRequest,
  context: CniContext,
  signal: AbortSignal,
  turn?: Turn,
): Promise<unknown> {
  const netns = getNetns(request)
  const isWholePod = isForWholePod(request)
  const { ref, pod } = await identifyPod(request, context, isWholePod)
  const selected = await selectAttachments(request, { ref, pod, isWholePod }, context, signal)
  const intended = intendedRecord({ request, netns, pod: ref, isWholePod, attachments: selected })
  const record = assignRecordedRouting(intended, request.config, context.networks)
  const earlier = await settleEarlier(record, context, signal)
  const attachments = selected.map((item) => ({ ...item, prevResult: earlier.get(identityOf(item)) }))
  await refuseTaken(attachments, netns, context.kernel)
  const { survives } = context.store.begin(record)
  try {
    return await attach({ request, record, pod, attachments, survives, turn }, context, signal)
  } catch (error) {
    if (pod !== undefined) context.events.event(pod, 'Warning', 'FailedAttachment', describeError(error))
    throw error
  }
}

async function selectAttachments(
  request: CniRequest,
  { ref, pod, isWholePod }: { ref: PodRef; pod: PodResource | undefined; isWholePod: boolean },
  context: CniContext,
  signal: AbortSignal,
): Promise<SelectedAttachment[]> {
  if (pod !== undefined) return await selectForPod(request, pod, context, signal)
  const selected = isWholePod ? await selectForContainer(request, context, signal) : [selectAlone(request, context)]
  if (ref.namespace === '') refuseWithoutPod(selected, request.containerId)
  return selected
}

/**
 * For a single network the pod is only named: whether it exists is the caller's business. A container that is no pod
 * is not looked for.
 */
async function identifyPod(
  request: CniRequest,
  context: CniContext,
  isWholePod: boolean,
): Promise<{ ref: PodRef; pod: PodResource | undefined }> {
  const ref = readPodRef(request)
  if (!isWholePod || ref.namespace === '') return { ref, pod: undefined }
  const pod = await getPod(ref, context)
  return { ref: { ...ref, uid: pod.metadata.uid ?? ref.uid }, pod }
}

interface Attempt {
  readonly request: CniRequest
  readonly record: AttachmentRecord
  readonly pod: PodResource | undefined
  readonly attachments: readonly SelectedAttachment[]
  /** Resolves when the record would survive a loss of power. */
  readonly survives: Promise<void>
  readonly turn: Turn | undefined
}

async function attach(attempt: Attempt, context: CniContext, signal: AbortSignal): Promise<unknown> {
  const { request, record, attachments } = attempt
  const undo = new UndoStack()
  try {
    const attached = await attachAll({
      sandbox: record,
      attachments,
      nodeSide: (driver) => context.networks.nodeSide(driver),
      undo,
      signal,
      turn: attempt.turn,
    })
    return await finish(attempt, attached, context, signal)
  } catch (error) {
    const failure = await undo.unwind(error)
    // Where the undo failed too, the record stays: it says what is still to be taken back.
    if (failure === error) context.store.remove(request)
    throw failure
  }
}

async function finish(
  attempt: Attempt,
  attached: readonly Attached[],
  context: CniContext,
  signal: AbortSignal,
): Promise<unknown> {
  const { request, pod } = attempt
  const record = await observeRoutes(completedRecord(attempt.record, attached), context)
  const routing = planRecordedRouting(record.attachments)
  if (record.isWholePod) await applyRouting(context.kernel, record.netns, routing)
  const results = record.isWholePod ? routing.results : attached.map((item) => item.result)
  const told = record.attachments.map((attachment, index) => ({
    ...attachment,
    result: results[index] ?? { interfaces: [], ips: [], routes: [], dns: {} },
  }))
  const answer = resultToVersion(
    mergeResults(record.isWholePod ? told : told.map(asDefault)),
    request.config.cniVersion,
  )
  await attempt.survives
  // The runtime may have given up, and would not know what the pod has.
  signal.throwIfAborted()
  context.store.complete(record)
  if (pod !== undefined)
    reportAttached(
      { pod, ref: record.pod, containerId: record.containerId, attachments: told, warnings: routing.warnings },
      context,
    )
  return answer
}

function asDefault<T extends object>(attachment: T): T & { isDefault: true } {
  return { ...attachment, isDefault: true }
}

/**
 * Takes back what an earlier ADD of the same container left: all of it if it never ended, else what is no longer asked
 * for. Resolves with the results of what stays.
 */
async function settleEarlier(
  record: AttachmentRecord,
  context: CniContext,
  signal: AbortSignal,
): Promise<Map<string, CniResult | undefined>> {
  const earlier = context.store.find(record)
  if (earlier === undefined) return new Map()
  const wanted = new Set(record.attachments.map(recordedIdentity))
  const stays = (attachment: RecordedAttachment): boolean =>
    earlier.state === 'added' && attachment.state === undefined && wanted.has(recordedIdentity(attachment))
  const attachments = earlier.attachments.filter((attachment) => !stays(attachment))
  await detachAll(detachmentsOf({ ...earlier, attachments }, context.networks), signal)
  return new Map(earlier.attachments.filter(stays).map((item) => [recordedIdentity(item), item.result]))
}

function recordedIdentity({ driver, ifName, networkName, configList }: RecordedAttachment): string {
  return JSON.stringify([driver, ifName, networkName, configList])
}

function identityOf({ driver, ...rest }: SelectedAttachment): string {
  return recordedIdentity({ ...rest, driver: driver.name })
}
