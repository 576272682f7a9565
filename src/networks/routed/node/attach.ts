import { ConfigError } from '../../../base/errors.ts'
import { isAddress } from '../../../base/ip.ts'
import { UndoStack } from '../../../base/undo.ts'
import type { CniResult } from '../../../cni/result.ts'
import { namespaces, type PodResource } from '../../../kube/resources/core.ts'
import type { AttachRequest } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { handleIdOf } from '../ipam/handles.ts'
import { selectPools } from '../ipam/pools.ts'
import { type PodAddressing, podAddressing } from '../pod-annotations.ts'
import type { NodeContext } from './context.ts'
import { giveBack } from './detach.ts'
import { hostInterfaceName, podMac } from './names.ts'
import { hostOperations, type Pair, pairOperations, podOperations, resultOf } from './wiring.ts'

type Request = AttachRequest<RoutedConfig>

const usualMtuBytes = 1500

/** ADD: an address, a veth pair, routes on both sides. One write to the API, two batches to the kernel. */
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
  try {
    undo.push('the address', () => giveBack(context, handleId))
    undo.push('the interface', () => kernel.apply(undefined, [{ op: 'deleteLink', name: hostName }]))
    const pair = pairOf(context, request, hostName)
    // The pair needs no address: the kernel makes it while the API is asked for one.
    const made = kernel.apply(undefined, pairOperations(pair))
    const [address] = await allOrFirstError([assignAddress(context, request, signal), made])
    const wiring = { ...pair, address }
    await kernel.applyEach([
      { netns: undefined, operations: hostOperations(wiring) },
      { netns: wiring.netns, operations: podOperations(wiring) },
    ])
    signal.throwIfAborted()
    return resultOf(wiring)
  } catch (error) {
    throw await undo.unwind(error)
  }
}

/** Waits for all, so that nothing is still under way when the undo begins. */
async function allOrFirstError<A, B>(tasks: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(tasks)
  return await Promise.all(tasks)
}

function pairOf(context: NodeContext, request: Request, hostName: string): Pair {
  const { containerId, ifName, netns, isDefault } = request
  const configured = request.config.mtu || context.settings.mtuBytes
  return {
    owner: { containerId, ifName },
    hostName,
    netns,
    isDefault,
    mac: request.requested.mac?.toLowerCase() ?? podMac(request),
    mtuBytes: configured || (context.nodeMtuBytes() ?? usualMtuBytes),
  }
}

async function assignAddress(context: NodeContext, request: Request, signal: AbortSignal): Promise<string> {
  const { deps, pools, assigner } = context
  const addressing = podAddressing(findPod(context, request)?.metadata.annotations ?? {}, request.ifName)
  const wanted = certainAddress(request, addressing)
  const candidates = selectPools(pools.list(), {
    nodeName: deps.nodeName,
    nodeLabels: deps.nodes.get(deps.nodeName)?.metadata.labels ?? {},
    namespaceLabels: await namespaceLabels(context, request.pod.namespace),
    // A certain address may be in any pool that is enabled; which one is decided by the address.
    requested: wanted === undefined ? (addressing.pools ?? request.config.ipam.ipv4_pools) : [],
  })
  const holder = { handleId: handleOf(request), secondary: secondaryOf(deps.nodeName, request) }
  return assigner.assign({ holder, pools: candidates, address: wanted }, signal)
}

/** Asked for only where a pool selects namespaces: no other ADD pays for it. */
async function namespaceLabels(
  { deps, pools }: NodeContext,
  name: string,
): Promise<Record<string, string> | undefined> {
  if (name === '' || !pools.list().some(({ spec }) => spec.namespaceSelector !== undefined)) return undefined
  return (await deps.kube.find(namespaces, name))?.metadata.labels
}

/** A container that is no pod has none to be looked for: its address is not taken for that of a lost pod. */
function secondaryOf(node: string, { pod, containerId }: Request): Record<string, string> {
  const owner = pod.namespace === '' ? { container: containerId } : { namespace: pod.namespace, pod: pod.name }
  return { node, ...owner, timestamp: new Date().toISOString() }
}

function findPod({ deps }: NodeContext, { pod }: Request): PodResource | undefined {
  return deps.pods.get(pod.name, pod.namespace)
}

/** From the networks annotation, else from Calico's own. Only IPv4 addresses can be given. */
function certainAddress({ requested }: Request, addressing: PodAddressing): string | undefined {
  const [first, ...others] = requested.ips ?? addressing.addresses ?? []
  if (first === undefined) return undefined
  const address = first.split('/')[0] ?? ''
  if (others.length === 0 && isAddress(address) && !address.includes(':')) return address
  throw new ConfigError('ips', `${[first, ...others].join(', ')} is not one IPv4 address`, {
    fix: 'ask for one IPv4 address, or for none',
  })
}
