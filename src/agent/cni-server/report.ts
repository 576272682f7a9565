import { type CniResult, emptyResult } from '../../cni/result.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import { networkStatusAnnotation } from '../../kube/resources/net-attach-def.ts'
import { renderNetworkStatus } from '../../meta/network-status.ts'
import type { PodRef } from '../../networks/driver.ts'
import { type AttachmentRecord, type RecordedAttachment, settledAttachments } from '../attachment-record.ts'
import { describeDevices } from '../devices/describe-devices.ts'
import { planRecordedRouting } from '../pod-routing/plan.ts'
import type { CniContext } from './context.ts'

type StatusParts = 'statusWriter' | 'devices' | 'networks'

interface Report {
  readonly pod: PodResource
  readonly ref: PodRef
  readonly containerId: string
  readonly attachments: readonly (RecordedAttachment & { result: CniResult })[]
  readonly warnings: readonly string[]
}

/** Tells the cluster what a pod has now: the annotation network-status, and the events that users know from Multus. */
export function reportAttached(report: Report, context: Pick<CniContext, 'events' | StatusParts>): void {
  const { pod, attachments } = report
  reportStatus(report, context)
  for (const attachment of attachments) reportAdded(pod, attachment, context)
  for (const warning of report.warnings) context.events.event(pod, 'Warning', 'DefaultRouteReplaced', warning)
}

/** Writes network-status, and what the networks add to it. */
export function reportStatus(
  { ref, ...facts }: Pick<Report, 'ref' | 'containerId' | 'attachments'>,
  context: Pick<CniContext, StatusParts>,
): void {
  context.statusWriter.write(ref, statusAnnotations(facts, context))
}

/** Annotations of a pod that has these attachments. */
export function statusAnnotations(
  { containerId, attachments }: Pick<Report, 'containerId' | 'attachments'>,
  { networks, devices }: Pick<CniContext, 'networks' | 'devices'>,
): Record<string, string> {
  const added = attachments.map(({ driver, ifName, result }) =>
    networks.get(driver).driver.podAnnotations?.({ containerId, ifName }, result),
  )
  const text = renderNetworkStatus(describeDevices(attachments, containerId, devices))
  return Object.assign({ [networkStatusAnnotation]: text }, ...added)
}

/**
 * Takes back what the networks had added of a container that is gone from a pod that stays: one that has ended, or gets
 * a new sandbox. A newer sandbox has written its own.
 */
export function reportDetached(record: AttachmentRecord, context: CniContext): void {
  const { containerId, pod: ref } = record
  const pod = context.pods.get(ref.name, ref.namespace)
  const isOver = pod?.metadata.uid !== ref.uid || pod.metadata.deletionTimestamp !== undefined
  if (!record.isWholePod || isOver || context.store.keyOfPod(ref.uid) !== undefined) return
  const blanks = record.attachments.map(({ driver, ifName }) =>
    context.networks.get(driver).driver.podAnnotations?.({ containerId, ifName }, undefined),
  )
  const annotations: Record<string, string> = Object.assign({}, ...blanks)
  if (Object.keys(annotations).length > 0) context.statusWriter.write(ref, annotations)
}

/** What a pod has: also what is about to be detached, until it is gone. Results are those after the routing. */
export function presentAttachments(
  record: Pick<AttachmentRecord, 'attachments'>,
): (RecordedAttachment & { result: CniResult })[] {
  const settled = settledAttachments(record)
  const { results } = planRecordedRouting(settled)
  const going = record.attachments.flatMap((item) =>
    item.state === 'detaching' && item.result !== undefined ? [{ ...item, result: item.result }] : [],
  )
  return [...settled.map((item, index) => ({ ...item, result: results[index] ?? emptyResult })), ...going]
}

/** The event of an interface that a pod has got. */
export function reportAdded(
  pod: PodResource,
  { ifName, networkName, result }: Pick<RecordedAttachment, 'ifName' | 'networkName'> & { result: CniResult },
  { events }: Pick<CniContext, 'events'>,
): void {
  const addresses = result.ips.map((ip) => ip.address).join(' ')
  events.event(pod, 'Normal', 'AddedInterface', `Add ${ifName} [${addresses}] from ${networkName}`)
}
