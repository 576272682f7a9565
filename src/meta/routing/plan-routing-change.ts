import { isDeepStrictEqual } from 'node:util'
import { planRouting } from './plan-routing.ts'
import type { RoutedAttachment, RoutingOperation, RoutingPlan } from './types.ts'

/**
 * From one set of attachments to another: what only the first plan did is taken back (for interfaces that stay), then
 * all of the second plan. Call it when new interfaces are there and before old ones go. Throws CniError as planRouting.
 */
export function planRoutingChange(
  before: readonly RoutedAttachment[],
  after: readonly RoutedAttachment[],
): RoutingPlan {
  const plan = planRouting(after)
  const stays = (device: string): boolean => after.some(({ ifName }) => ifName === device)
  const undone = planRouting(before)
    .operations.filter((step) => !plan.operations.some((other) => isDeepStrictEqual(other, step)))
    .map(reverse)
    .filter((step) => step.op !== 'ensureRoute' || stays(step.route.device))
    .filter((step) => !plan.operations.some((other) => isDeepStrictEqual(other, step)))
  const deletes = undone.filter(isDelete)
  const restores = undone.filter((step) => !isDelete(step))
  return { ...plan, operations: [...deletes, ...restores, ...plan.operations] }
}

/** Only what the planner itself emits. */
function reverse(step: RoutingOperation): RoutingOperation {
  switch (step.op) {
    case 'ensureRoute':
      return { op: 'deleteRoute', route: step.route }
    case 'deleteRoute':
      return { op: 'ensureRoute', route: step.route }
    case 'ensureRule':
      return { op: 'deleteRule', rule: step.rule }
    case 'deleteRule':
      return { op: 'ensureRule', rule: step.rule }
  }
}

function isDelete(step: RoutingOperation): boolean {
  return step.op === 'deleteRoute' || step.op === 'deleteRule'
}
