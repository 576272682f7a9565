import { type CniResult, emptyResult } from '../../cni/result.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import { renderNetworkStatus } from '../../meta/network-status.ts'
import type { PodRef } from '../../networks/driver.ts'
import { type AttachmentRecord, type RecordedAttachment, settledAttachments } from '../attachment-record.ts'
import { describeDevices } from '../devices/describe-devices.ts'
import { planRecordedRouting } from '../pod-routing/plan.ts'
import type { CniContext } from './context.ts'

interface Report {
  readonly pod: PodResource
  readonly ref: PodRef
  readonly containerId: string
  readonly attachments: readonly (RecordedAttachment & { result: CniResult })[]
  readonly warnings: readonly string[]
}

/** Tells the cluster what a pod has now: the annotation network-status, and the events that users know from Multus. */
export function reportAttached(report: Report, context: Pick<CniContext, 'events' | 'statusWriter' | 'devices'>): void {
  const { pod, attachments } = report
  reportStatus(report, context)
  for (const attachment of attachments) reportAdded(pod, attachment, context)
  for (const warning of report.warnings) context.events.event(pod, 'Warning', 'DefaultRouteReplaced', warning)
}

/** Writes network-status. */
export function reportStatus(
  { ref, containerId, attachments }: Pick<Report, 'ref' | 'containerId' | 'attachments'>,
  context: Pick<CniContext, 'statusWriter' | 'devices'>,
): void {
  const described = describeDevices(attachments, containerId, context.devices)
  context.statusWriter.write(ref, renderNetworkStatus(described))
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
