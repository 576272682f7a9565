import { adjustResult } from './adjust-result.ts'
import { findOwners } from './default-owners.ts'
import { planMainTable } from './main-table.ts'
import { planSourceTable } from './source-tables.ts'
import type { PlannedRoute, RoutedAttachment, RoutingOperation, RoutingPlan } from './types.ts'

/**
 * Which default routes a pod has, and the policy rules that make a reply leave by the interface that the request came
 * in by.
 *
 * `default-route` moves the default route of the families of its gateways and of no other. An empty list keeps what
 * the networks installed (intent of the NPWG standard; Multus removes all). A gateway outside the attachment's subnet
 * is replaced by the attachment's own, with a warning: one annotation then works on every node. Throws CniError when
 * there is none.
 */
export function planRouting(attachments: readonly RoutedAttachment[]): RoutingPlan {
  const owners = findOwners(attachments)
  const main = planMainTable(attachments, owners)
  const isAlone = attachments.length < 2
  return {
    operations: [
      ...main.removed.map(deleteRoute),
      ...(isAlone ? [] : attachments.flatMap((attachment) => planSourceTable(attachment, owners))),
      ...[...main.links, ...main.added].map(ensureRoute),
    ],
    results: attachments.map((attachment) => adjustResult(attachment, main)),
    warnings: owners.flatMap((owner) => (owner.warning === undefined ? [] : [owner.warning])),
  }
}

function deleteRoute(route: PlannedRoute): RoutingOperation {
  return { op: 'deleteRoute', route }
}

function ensureRoute(route: PlannedRoute): RoutingOperation {
  return { op: 'ensureRoute', route }
}
