import type { BirdReply } from './reply.ts'

/** A route as `show route` lists it. */
export interface BirdRoute {
  readonly destination: string
  /** Name of the protocol that BIRD has it from. */
  readonly protocol: string
  /** More than one for equal paths; none for a blackhole. */
  readonly gateways: readonly string[]
}

/** Reads the reply to `show route …`: a line for each route, then one for each of its next hops. */
export function parseRoutes(reply: BirdReply): BirdRoute[] {
  const routes: BirdRoute[] = []
  for (const { text } of reply.lines) {
    const route = /^([0-9a-f.:]+\/\d+)?\s+(?:unicast|blackhole|unreachable|prohibit) \[(\S+) /.exec(text)
    const gateway = /^\s+via ([0-9a-f.:]+)/.exec(text)?.[1]
    if (route !== null) {
      // A second route to the same destination does not repeat it.
      routes.push({ destination: route[1] ?? routes.at(-1)?.destination ?? '', protocol: route[2] ?? '', gateways: [] })
    } else if (gateway !== undefined) addGateway(routes, gateway)
  }
  return routes
}

function addGateway(routes: BirdRoute[], gateway: string): void {
  const route = routes.pop()
  if (route !== undefined) routes.push({ ...route, gateways: [...route.gateways, gateway] })
}
