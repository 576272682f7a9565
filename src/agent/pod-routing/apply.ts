import type { Kernel } from '../../kernel/kernel.ts'
import type { RoutingPlan } from '../../meta/routing/types.ts'

/** Carries the plan out in the pod's namespace; twice is the same as once. */
export async function applyRouting(kernel: Kernel, netns: string, plan: RoutingPlan): Promise<void> {
  if (plan.operations.length > 0) await kernel.apply(netns, plan.operations)
}
