import { installedRoutes, linkRouteTo } from '../meta/routing/routes.ts'
import type { PlannedRoute, RoutedAttachment, RoutingPlan } from '../meta/routing/types.ts'

const scopeLink = 253

/** Routes of the main table before and after a plan, and those of its other tables, in the form of iproute2. */
export function renderRoutes(
  attachments: readonly RoutedAttachment[],
  plan: RoutingPlan,
  undecided: ReadonlyMap<string, string>,
): { routes: string[]; rules: string[]; tables: Record<string, string[]> } {
  const name = (address: string): string => undecided.get(address) ?? address
  const tables: Record<string, string[]> = {}
  const rules: string[] = []
  for (const step of plan.operations) {
    if (step.op === 'ensureRule') {
      const { priority, from, table } = step.rule
      rules.push(`${priority}: from ${name(withoutHostLength(from))} lookup ${table}`)
    } else if (step.op === 'ensureRoute' && step.route.table !== undefined) {
      const { table } = step.route
      tables[table] = [...(tables[table] ?? []), renderRoute(step.route, name)]
    }
  }
  return { routes: mainRoutes(attachments, plan).map((route) => renderRoute(route, name)), rules, tables }
}

/** The main table once the plan has been carried out. */
export function mainRoutes(attachments: readonly RoutedAttachment[], { operations }: RoutingPlan): PlannedRoute[] {
  const table = new Map<string, PlannedRoute>()
  const key = ({ destination, device, gateway }: PlannedRoute): string => `${destination} ${gateway} ${device}`
  for (const route of attachments.flatMap(withLinks)) table.set(key(route), route)
  for (const step of operations) {
    if (!('route' in step) || step.route.table !== undefined) continue
    if (step.op === 'deleteRoute') table.delete(key(step.route))
    else table.set(key(step.route), step.route)
  }
  return [...table.values()]
}

/** Networks do not report the route on the link to a gateway that is on no subnet of theirs. */
function withLinks(attachment: RoutedAttachment): PlannedRoute[] {
  const { ifName, result } = attachment
  const gateways = [...result.routes.map(({ gw }) => gw), ...result.ips.map(({ gateway }) => gateway)]
  const links = gateways.flatMap((gateway) => (gateway === undefined ? [] : linkRouteTo(result, gateway, ifName)))
  return [...links, ...installedRoutes(attachment)]
}

function renderRoute(
  { destination, gateway, device, scope, source }: PlannedRoute,
  name: (text: string) => string,
): string {
  const to = /\/0$/.test(destination) ? 'default' : withoutHostLength(destination)
  return [
    to,
    ...(gateway === undefined ? [] : [`via ${gateway}`]),
    `dev ${device}`,
    ...(scope === scopeLink ? ['scope link'] : []),
    ...(source === undefined ? [] : [`src ${name(source)}`]),
  ].join(' ')
}

function withoutHostLength(prefix: string): string {
  return prefix.replace(prefix.includes(':') ? /\/128$/ : /\/32$/, '')
}
