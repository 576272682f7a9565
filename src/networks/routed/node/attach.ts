import { errorCode } from '../../../base/errors.ts'
import { UndoStack } from '../../../base/undo.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { AttachRequest } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { handleIdOf } from '../ipam/handles.ts'
import { assignAddresses, type Decided, decide } from './assign-addresses.ts'
import type { NodeContext } from './context.ts'
import { giveBackAll } from './detach.ts'
import { requireUnused } from './floating.ts'
import { decideByPlugin } from './ipam-delegate.ts'
import { hostInterfaceName, podMac } from './names.ts'
import {
  addressOperations,
  hostOperations,
  type Pair,
  pairOperations,
  podOperations,
  resultOf,
  type Wiring,
} from './wiring.ts'

type Request = AttachRequest<RoutedConfig>

const usualMtuBytes = 1500

/** ADD: addresses, a veth pair, routes on both sides. One write to the API a family, two batches to the kernel. */
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
    // The pair needs no address: the kernel makes it while the API is asked for one.
    const made = kernel.applyEach([
      { netns: undefined, operations: pairOperations(pair) },
      { netns: pair.netns, operations: podOperations(pair) },
    ])
    const [addresses] = await allOrFirstError([
      assignAddresses(context, request, { ...decided, handleId, signal }),
      made,
    ])
    for (const address of addresses) context.requireReachable(address)
    const wiring = { ...pair, addresses, floating: decided.floating }
    await requireUnused(context, wiring)
    await connect(context, wiring)
    if (wiring.floating.length > 0) await context.serveFloating()
    signal.throwIfAborted()
    return resultOf(wiring)
  } catch (error) {
    throw await undo.unwind(error)
  }
}

/** A table that somebody has deleted is back in a moment; the pod need not fail for it. */
async function connect({ deps: { kernel }, restoreSenders }: NodeContext, wiring: Wiring): Promise<void> {
  const batches = [
    { netns: wiring.netns, operations: addressOperations(wiring) },
    { netns: undefined, operations: hostOperations(wiring) },
  ]
  try {
    await kernel.applyEach(batches)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    await restoreSenders()
    await kernel.applyEach(batches)
  }
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
