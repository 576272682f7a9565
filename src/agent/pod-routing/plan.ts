import { firstPodTable } from '../../meta/routing/assign-routing.ts'
import { planRouting } from '../../meta/routing/plan-routing.ts'
import { planRoutingChange } from '../../meta/routing/plan-routing-change.ts'
import type { RoutedAttachment, RoutingPlan } from '../../meta/routing/types.ts'
import type { RecordedAttachment } from '../attachment-record.ts'

/** The plan for what has been recorded; the same for the same record. Those without a result, coming or going do not count. */
export function planRecordedRouting(attachments: readonly RecordedAttachment[]): RoutingPlan {
  return planRouting(attachments.flatMap(routedAttachment))
}

/**
 * The plan for a running pod whose attachments change: of what goes, rules and tables are removed, and defaults that it
 * had go back to where they came from. Call it when new interfaces are there and before old ones go.
 */
export function planRecordedChange(
  before: readonly RecordedAttachment[],
  after: readonly RecordedAttachment[],
): RoutingPlan {
  return planRoutingChange(before.flatMap(routedAttachment), after.flatMap(routedAttachment))
}

function routedAttachment(recorded: RecordedAttachment, index: number): RoutedAttachment[] {
  const { ifName, networkName, isDefault, requested, result, state } = recorded
  if (result === undefined || state !== undefined) return []
  const routing = recorded.routing ?? { table: firstPodTable + index, keep: [], take: [] }
  return [{ ifName, networkName, isDefault, result, defaultRoute: requested.defaultRoute, routing }]
}
