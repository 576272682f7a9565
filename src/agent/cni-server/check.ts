import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { CniRequest } from '../../cni/request.ts'
import { emptyResult } from '../../cni/result.ts'
import type { RoutingPlan } from '../../meta/routing/types.ts'
import type { Problem } from '../../networks/driver.ts'
import { type AttachmentRecord, settledAttachments } from '../attachment-record.ts'
import { planRecordedRouting } from '../pod-routing/plan.ts'
import { verifyRouting } from '../pod-routing/verify.ts'
import type { CniContext } from './context.ts'
import { refOf } from './record.ts'
import { getNetns } from './sandbox.ts'

/** CHECK: every network, and the pod's routing, are as the ADD left them. Throws CniError listing all that is wrong, with the first code that a network gave. */
export async function check(request: CniRequest, context: CniContext, signal: AbortSignal): Promise<void> {
  if (request.config.disableCheck === true) return
  const found = context.store.find(request)
  if (found?.state !== 'added') {
    throw new CniError(cniErrorCode.unknownContainer, `container ${request.containerId} has no networks here`, {
      fix: 'Delete the pod so that it is made anew.',
    })
  }
  getNetns(request)
  const record = { ...found, attachments: settledAttachments(found) }
  const routing = planRecordedRouting(record.isWholePod ? record.attachments : [])
  const problems = [
    ...(await verifyAttachments(record, routing, context, signal)),
    ...(await verifyRouting(context.kernel, record.netns, routing)),
  ]
  if (problems.length === 0) return
  const text = problems.map(({ what, fix }) => (fix === undefined ? what : `${what} (${fix})`)).join('; ')
  const code = problems.find((problem) => problem.code !== undefined)?.code ?? cniErrorCode.internal
  throw new CniError(code, `container ${request.containerId}: ${text}`)
}

/** Networks are asked about what the pod has now that its default route may have moved. */
async function verifyAttachments(
  record: AttachmentRecord,
  routing: RoutingPlan,
  context: CniContext,
  signal: AbortSignal,
): Promise<Problem[]> {
  const found = await Promise.all(
    record.attachments.map(async (attachment, index) => {
      const { nodeSide } = context.networks.get(attachment.driver)
      const ref = refOf(record, attachment, context.networks)
      const problems = await nodeSide.verify(ref, routing.results[index] ?? attachment.result ?? emptyResult, signal)
      return problems.map((problem) => ({
        ...problem,
        what: `network "${ref.networkName}" (${ref.ifName}): ${problem.what}`,
      }))
    }),
  )
  return found.flat()
}
