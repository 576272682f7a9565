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
  const restores = undone.filter((step) => !isDelete(step)).filter(isFirstOfItsPlace)
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

/** Of routes that would replace one another, the first network's comes back. */
function isFirstOfItsPlace(step: RoutingOperation, index: number, steps: readonly RoutingOperation[]): boolean {
  return steps.findIndex((other) => isDeepStrictEqual(placeOf(other), placeOf(step))) === index
}

function placeOf(step: RoutingOperation): unknown {
  if (step.op !== 'ensureRoute') return step
  const { family, destination, table, metric } = step.route
  return { family, destination, table, metric }
}

function isDelete(step: RoutingOperation): boolean {
  return step.op === 'deleteRoute' || step.op === 'deleteRule'
}
