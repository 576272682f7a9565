import { computeDelta } from '../../../base/delta.ts'
import type { FdbEntry, Kernel, Neighbor, Operation, Route } from '../../../kernel/kernel.ts'
import { isSameRoute } from '../../../kernel/normalize.ts'
import { type TunnelPlan, tunnelRouteProtocol } from '../tunnels/build-tunnels.ts'
import { tunnelDevices } from '../tunnels/encapsulation.ts'

/** What of tunnels is in the kernel. */
export interface TunnelState {
  readonly fdb: readonly FdbEntry[]
  readonly neighbors: readonly Neighbor[]
  /** Of our protocol, whatever they lead through. */
  readonly routes: readonly Route[]
}

export interface TunnelDelta {
  /** Ways first: no route before what it leads through. */
  readonly additions: readonly Operation[]
  readonly strayRoutes: readonly Route[]
  /** Entries of nodes that are gone. */
  readonly strayEntries: readonly Operation[]
}

export async function readTunnelState(kernel: Kernel): Promise<TunnelState> {
  const routes = await kernel.routes(undefined, { family: 4, protocol: tunnelRouteProtocol })
  const device = tunnelDevices.vxlan
  if ((await kernel.findLink(undefined, device)) === undefined) return { fdb: [], neighbors: [], routes }
  const [fdb, neighbors] = await Promise.all([kernel.fdb(undefined, device), kernel.neighbors(undefined, device)])
  return { fdb, neighbors: neighbors.filter(({ family }) => family === 4), routes }
}

/** What to do to make the kernel's state that of the plan. */
export function tunnelDelta(plan: TunnelPlan, state: TunnelState): TunnelDelta {
  const fdb = computeDelta<FdbEntry>({
    desired: plan.fdb,
    actual: state.fdb,
    desiredKey: ({ mac }) => mac,
    actualKey: ({ mac }) => mac,
    isEqual: (one, other) => one.destination === other.destination,
  })
  const neighbors = computeDelta<Neighbor>({
    desired: plan.neighbors,
    actual: state.neighbors,
    desiredKey: ({ address }) => address,
    actualKey: ({ address }) => address,
    isEqual: (one, other) => one.mac === other.mac && other.isPermanent === true,
  })
  const routes = computeDelta<Route>({
    desired: plan.routes,
    actual: state.routes,
    desiredKey: ({ destination }) => destination,
    actualKey: ({ destination, metric }) => (metric === undefined ? destination : `${destination} ${metric}`),
    isEqual: isSameRoute,
  })
  return {
    additions: [
      ...wanted(fdb).map((entry): Operation => ({ op: 'ensureFdb', entry })),
      ...wanted(neighbors).map((neighbor): Operation => ({ op: 'ensureNeighbor', neighbor })),
      ...wanted(routes).map((route): Operation => ({ op: 'ensureRoute', route })),
    ],
    strayRoutes: routes.remove,
    strayEntries: [
      ...fdb.remove.map((entry): Operation => ({ op: 'deleteFdb', entry })),
      ...neighbors.remove.map((neighbor): Operation => ({ op: 'deleteNeighbor', neighbor })),
    ],
  }
}

function wanted<T>({ create, update }: { create: T[]; update: { desired: T }[] }): T[] {
  return [...create, ...update.map(({ desired }) => desired)]
}
