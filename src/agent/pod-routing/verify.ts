import type { Kernel, Route, Rule } from '../../kernel/kernel.ts'
import { isSame } from '../../meta/routing/main-table.ts'
import type { PlannedRoute, PlannedRule, RoutingOperation, RoutingPlan } from '../../meta/routing/types.ts'
import type { Problem } from '../../networks/driver.ts'

const mainTable = 254
const fix = 'Delete the pod so that it is made anew.'

/** What of the plan is not so in the pod's namespace: rules, and routes of the main table and of the pod's own tables. */
export async function verifyRouting(kernel: Kernel, netns: string, plan: RoutingPlan): Promise<Problem[]> {
  if (plan.operations.length === 0) return []
  const [routes, rules] = await Promise.all([readTables(kernel, netns, plan), kernel.rules(netns)])
  return plan.operations.flatMap((step) => verifyStep(step, { routes, rules }))
}

type Routes = ReadonlyMap<number, readonly Route[]>

async function readTables(kernel: Kernel, netns: string, { operations }: RoutingPlan): Promise<Routes> {
  const tables = new Set(operations.flatMap((step) => ('route' in step ? [step.route.table ?? mainTable] : [])))
  const read = async (table: number): Promise<[number, readonly Route[]]> => [
    table,
    await kernel.routes(netns, { table }),
  ]
  return new Map(await Promise.all([...tables].map(read)))
}

function verifyStep(step: RoutingOperation, actual: { routes: Routes; rules: readonly Rule[] }): Problem[] {
  switch (step.op) {
    case 'ensureRule':
      return actual.rules.some((rule) => isRule(rule, step.rule))
        ? []
        : [problem(describeRule(step.rule), 'is missing')]
    case 'deleteRule':
      return actual.rules.some((rule) => isRule(rule, step.rule)) ? [problem(describeRule(step.rule), 'is back')] : []
    case 'ensureRoute':
      return hasRoute(actual.routes, step.route) ? [] : [problem(describeRoute(step.route), 'is missing')]
    case 'deleteRoute':
      return hasRoute(actual.routes, step.route) ? [problem(describeRoute(step.route), 'is back')] : []
  }
}

function isRule(rule: Rule, { from, table, priority }: PlannedRule): boolean {
  return rule.from === from && rule.table === table && rule.priority === priority
}

function hasRoute(routes: Routes, wanted: PlannedRoute): boolean {
  return (routes.get(wanted.table ?? mainTable) ?? []).some(
    ({ device, gateway, destination, metric }) =>
      device !== undefined &&
      (wanted.metric === undefined || wanted.metric === metric) &&
      isSame({ family: wanted.family, destination, device, ...(gateway === undefined ? {} : { gateway }) }, wanted),
  )
}

function problem(what: string, how: string): Problem {
  return { what: `${what} ${how}`, fix }
}

function describeRule({ from, table }: PlannedRule): string {
  return `the rule "from ${from} lookup ${table}"`
}

function describeRoute({ destination, device, gateway, table }: PlannedRoute): string {
  const where = table === undefined ? '' : ` of table ${table}`
  return `the route ${destination} via ${gateway ?? 'the link'} dev ${device}${where}`
}
