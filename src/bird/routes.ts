import type { BirdReply } from './reply.ts'

/** A route as `show route` lists it. */
export interface BirdRoute {
  readonly destination: string
  /** Name of the protocol that BIRD has it from. */
  readonly protocol: string
  /** More than one for equal paths; none for a blackhole. */
  readonly gateways: readonly string[]
  /** The one that is used, of several to the destination. */
  readonly isPrimary: boolean
  /** That the first next hop, or the destination itself, is reached by. */
  readonly interfaceName?: string
}

/** Reads the reply to `show route …`: a line for each route, then one for each of its next hops. */
export function parseRoutes(reply: BirdReply): BirdRoute[] {
  const routes: BirdRoute[] = []
  for (const { text } of reply.lines) {
    const route = /^([0-9a-f.:]+\/\d+)?\s+(?:unicast|blackhole|unreachable|prohibit) \[(\S+) /.exec(text)
    const [, gateway, device] = /^\s+(?:via ([0-9a-f.:]+) on|dev) (\S+)/.exec(text) ?? []
    if (route !== null) {
      // A second route to the same destination does not repeat it.
      const [, destination = routes.at(-1)?.destination ?? '', protocol = ''] = route
      routes.push({ destination, protocol, gateways: [], isPrimary: /\] \*/.test(text) })
    } else if (device !== undefined) addNextHop(routes, device, gateway)
  }
  return routes
}

function addNextHop(routes: BirdRoute[], interfaceName: string, gateway: string | undefined): void {
  const route = routes.pop()
  if (route === undefined) return
  const gateways = gateway === undefined ? route.gateways : [...route.gateways, gateway]
  routes.push({ interfaceName, ...route, gateways })
}
