import type { Kernel } from '../kernel/kernel.ts'
import { planRouting, type RoutedAttachment, type RoutingPlan } from '../meta/plan-routing.ts'
import type { Problem } from '../networks/driver.ts'
import type { RecordedAttachment } from './attachment-record.ts'

/** The plan for what has been recorded; the same for the same record. Attachments without a result do not count. */
export function planRecordedRouting(attachments: readonly RecordedAttachment[]): RoutingPlan {
  return planRouting(
    attachments.flatMap(({ ifName, networkName, requested, result }): RoutedAttachment[] =>
      result === undefined ? [] : [{ ifName, networkName, result, defaultRoute: requested.defaultRoute }],
    ),
  )
}

export async function applyRouting(kernel: Kernel, netns: string, plan: RoutingPlan): Promise<void> {
  if (plan.operations.length > 0) await kernel.apply(netns, plan.operations)
}

/** What of the plan is not so in the pod's namespace: its default routes and its rules. */
export async function verifyRouting(kernel: Kernel, netns: string, plan: RoutingPlan): Promise<Problem[]> {
  const [routes, rules] = await Promise.all([kernel.routes(netns), kernel.rules(netns)])
  const fix = 'Delete the pod so that it is made anew.'
  return plan.operations.flatMap((step): Problem[] => {
    if (step.op === 'ensureRule') {
      const isThere = rules.some((rule) => rule.from === step.rule.from && rule.table === step.rule.table)
      return isThere ? [] : [{ what: `the rule "from ${step.rule.from} lookup ${step.rule.table}" is missing`, fix }]
    }
    const { destination, device, gateway, table } = step.route
    if (table !== undefined || step.op === 'deleteRoute') return []
    const isThere = routes.some(
      (route) => route.destination === destination && route.device === device && route.gateway === gateway,
    )
    return isThere
      ? []
      : [{ what: `the route ${destination} via ${gateway ?? 'the link'} dev ${device} is missing`, fix }]
  })
}
