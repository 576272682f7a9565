import { UndoStack } from '../../../base/undo.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { AttachRequest } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { handleIdOf } from '../ipam/handles.ts'
import { assignAddresses, type Decided, decide } from './assign-addresses.ts'
import { connectAtOnce, connectPair, makePair } from './connect.ts'
import type { NodeContext } from './context.ts'
import { giveBackAll } from './detach.ts'
import { requireUnused } from './floating.ts'
import { decideByPlugin } from './ipam-delegate.ts'
import { hostInterfaceName, podMac } from './names.ts'
import { hasEarly, takeEarly } from './prepare.ts'
import { type Pair, resultOf, type Wiring } from './wiring.ts'

type Request = AttachRequest<RoutedConfig>

const usualMtuBytes = 1500

/**
 * ADD: addresses, a veth pair, routes on both sides. Where the addresses were claimed when the pod was bound, one trip to
 * the kernel; else one write to the API a family, and two.
 */
export async function attach(context: NodeContext, request: Request, signal: AbortSignal): Promise<CniResult> {
  signal.throwIfAborted()
  const hostName = hostInterfaceName(request.pod, request.ifName)
  const handleId = handleOf(request)
  context.attaching.add(handleId)
  try {
    return await context.locks.run(hostName, () => attachAlone(context, request, { hostName, handleId, signal }))
  } finally {
    context.attaching.delete(handleId)
  }
}

export function handleOf(attachment: Pick<Request, 'config' | 'containerId' | 'ifName'>): string {
  const { config, containerId, ifName } = attachment
  return handleIdOf({ networkName: config.networkName, containerId, ifName })
}

async function attachAlone(
  context: NodeContext,
  request: Request,
  { hostName, handleId, signal }: { hostName: string; handleId: string; signal: AbortSignal },
): Promise<CniResult> {
  const undo = new UndoStack()
  const { kernel } = context.deps
  const planned = await decide(context, request)
  try {
    undo.push('the addresses', () => giveBackAll(context, request, handleId))
    const decided = await decideByPlugin(context, request, { planned, signal })
    undo.push('the interface', () => kernel.apply(undefined, [{ op: 'deleteLink', name: hostName }]))
    const pair = pairOf(context, request, { hostName, decided })
    const early = hasEarly(context, request) ? await takeEarly(context, request, { decided, handleId }) : undefined
    const wiring =
      early === undefined
        ? await wireWhileAssigning(context, request, { pair, decided, handleId, signal })
        : await wireAtOnce(context, { ...pair, addresses: early, floating: decided.floating })
    if (wiring.floating.length > 0) await context.serveFloating()
    signal.throwIfAborted()
    context.early.attached(handleId)
    return resultOf(wiring)
  } catch (error) {
    throw await undo.unwind(error)
  }
}

/** The addresses are there already. */
async function wireAtOnce(context: NodeContext, wiring: Wiring): Promise<Wiring> {
  await requireUsable(context, wiring)
  await connectAtOnce(context, wiring)
  return wiring
}

/** The kernel makes the pair while the API is asked for an address. */
async function wireWhileAssigning(
  context: NodeContext,
  request: Request,
  { pair, decided, handleId, signal }: { pair: Pair; decided: Decided; handleId: string; signal: AbortSignal },
): Promise<Wiring> {
  const taken = takeEarly(context, request, { decided, handleId })
  const [addresses] = await allOrFirstError([
    taken.then((early) => early ?? assignAddresses(context, request, { ...decided, handleId, signal })),
    makePair(context, pair),
  ])
  const wiring = { ...pair, addresses, floating: decided.floating }
  await requireUsable(context, wiring)
  await connectPair(context, wiring)
  return wiring
}

/** Throws what keeps the addresses from being used. */
async function requireUsable(context: NodeContext, wiring: Wiring): Promise<void> {
  for (const address of wiring.addresses) context.requireReachable(address)
  await requireUnused(context, wiring)
}

/** Waits for all, so that nothing is still under way when the undo begins. */
async function allOrFirstError<A, B>(tasks: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(tasks)
  return await Promise.all(tasks)
}

function pairOf(
  context: NodeContext,
  request: Request,
  { hostName, decided }: { hostName: string; decided: Decided },
): Pair {
  const { containerId, ifName, netns, isDefault } = request
  const configured = request.config.mtu || context.settings.mtuBytes
  return {
    owner: { containerId, ifName },
    hostName,
    netns,
    isDefault,
    families: decided.plan.wishes.map(({ family }) => family),
    mac: decided.mac ?? podMac(request),
    mtuBytes: configured || (context.nodeMtuBytes() ?? usualMtuBytes),
  }
}
