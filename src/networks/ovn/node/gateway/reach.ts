import { defer, withDeadline } from '../../../../base/clock.ts'
import { familyOf } from '../../../../base/ip.ts'
import { retry } from '../../../../base/retry.ts'
import { nodes } from '../../../../kube/resources/core.ts'
import type { NodeContext } from '../context.ts'
import type { Reach } from './nic-state.ts'

/** A device that a next hop is asked for on. */
export interface Hop {
  readonly device: string
  readonly nextHop: string | undefined
}

/** How long things that work take to answer before the move. */
const baselineTimeoutMs = 2000

/** What answers now, over the NIC as the host has it. */
export async function measureReach(context: NodeContext, hop: Hop, signal: AbortSignal): Promise<Reach> {
  const works = (what: Promise<void>): Promise<boolean> => what.then(() => true).catch(() => false)
  const [hasApi, hasNextHop] = await Promise.all([
    works(reachApi(context, baselineTimeoutMs, signal)),
    works(reachNextHop(context, hop, baselineTimeoutMs, signal)),
  ])
  signal.throwIfAborted()
  return { hasApi, hasNextHop }
}

/** Resolves when everything that answered before the move answers again. Throws TimeoutError saying what does not. */
export async function requireReach(
  context: NodeContext,
  { reach, timeoutMs, signal, ...hop }: Hop & { reach: Reach; timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  await Promise.all([
    ...(reach.hasApi ? [reachApi(context, timeoutMs, signal)] : []),
    ...(reach.hasNextHop ? [reachNextHop(context, hop, timeoutMs, signal)] : []),
  ])
}

/** Asks the API server for this node, as often as it takes. */
async function reachApi({ kube, nodeName }: NodeContext, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const stop = new AbortController()
  const asking = retry(() => kube.find(nodes, nodeName), {
    minDelayMs: 100,
    maxDelayMs: 1000,
    signal: AbortSignal.any([signal, stop.signal]),
  })
  try {
    await withDeadline(asking, { what: 'an answer of the API server', timeoutMs, signal })
  } finally {
    stop.abort()
  }
}

/** Has the kernel ask for the MAC of the next hop. */
async function reachNextHop(
  { kernel }: NodeContext,
  { device, nextHop }: Hop,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (nextHop === undefined) throw new Error('there is no next hop')
  const found = defer<void>()
  const look = async (): Promise<void> => {
    const known = await kernel.neighbors(undefined, device)
    if (known.some(({ address, mac }) => address === nextHop && mac !== undefined)) found.resolve()
  }
  const lookAgain = (): void => void look().catch(() => {})
  const watch = kernel.watch(undefined, ({ kind }) => kind === 'neighbor' && lookAgain(), lookAgain)
  try {
    await watch.ready
    await kernel.apply(undefined, [{ op: 'resolveNeighbor', device, address: nextHop }])
    await look()
    const how = familyOf(nextHop) === 4 ? 'ARP' : 'neighbour discovery'
    await withDeadline(found.promise, { what: `an answer of ${nextHop} on ${device} to ${how}`, timeoutMs, signal })
  } finally {
    await watch.close()
  }
}
