import { computeDelta } from '../../../base/delta.ts'
import type { FdbEntry, Kernel, Neighbor, Operation, Route } from '../../../kernel/kernel.ts'
import { isSameRoute } from '../../../kernel/normalize.ts'
import { type TunnelPlan, tunnelRouteProtocol } from '../tunnels/build-tunnels.ts'
import { encapsulations, tunnelDevices, tunnelFamilies } from '../tunnels/encapsulation.ts'

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
  /** Entries of nodes that are gone, with the devices that they are on. */
  readonly strayEntries: readonly { readonly device: string; readonly operation: Operation }[]
}

/** Of all tunnels. Neighbours that the kernel makes by itself, of link-local addresses, are none of ours. */
export async function readTunnelState(kernel: Kernel): Promise<TunnelState> {
  const state = {
    routes: await kernel.routes(undefined, { protocol: tunnelRouteProtocol }),
    fdb: [] as FdbEntry[],
    neighbors: [] as Neighbor[],
  }
  for (const kind of encapsulations.filter((each) => each !== 'ipip')) {
    const device = tunnelDevices[kind]
    if ((await kernel.findLink(undefined, device)) === undefined) continue
    const [fdb, neighbors] = await Promise.all([kernel.fdb(undefined, device), kernel.neighbors(undefined, device)])
    state.fdb.push(...fdb)
    state.neighbors.push(
      ...neighbors.filter(({ family, address }) => family === tunnelFamilies[kind] && !address.startsWith('fe80:')),
    )
  }
  return state
}

/** What to do to make the kernel's state that of the plan. */
export function tunnelDelta(plan: TunnelPlan, state: TunnelState): TunnelDelta {
  const fdb = computeDelta<FdbEntry>({
    desired: plan.fdb,
    actual: state.fdb,
    desiredKey: fdbKey,
    actualKey: fdbKey,
    isEqual: (one, other) => one.destination === other.destination,
  })
  const neighbors = computeDelta<Neighbor>({
    desired: plan.neighbors,
    actual: state.neighbors,
    desiredKey: neighborKey,
    actualKey: neighborKey,
    isEqual: (one, other) => one.mac === other.mac && other.isPermanent === true,
  })
  const routes = computeDelta<Route>({
    desired: plan.routes,
    actual: state.routes,
    desiredKey: keyOfRoute,
    actualKey: keyOfRoute,
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
      ...fdb.remove.map((entry) => strayEntry(entry.device, { op: 'deleteFdb', entry })),
      ...neighbors.remove.map((neighbor) => strayEntry(neighbor.device, { op: 'deleteNeighbor', neighbor })),
    ],
  }
}

function strayEntry(device: string, operation: Operation): TunnelDelta['strayEntries'][number] {
  return { device, operation }
}

function fdbKey({ device, mac }: FdbEntry): string {
  return `${device} ${mac}`
}

function neighborKey({ device, address }: Neighbor): string {
  return `${device} ${address}`
}

function keyOfRoute({ destination, metric }: Route): string {
  return metric === undefined ? destination : `${destination} ${metric}`
}

function wanted<T>({ create, update }: { create: T[]; update: { desired: T }[] }): T[] {
  return [...create, ...update.map(({ desired }) => desired)]
}
