import { isDeepStrictEqual } from 'node:util'
import { TimeoutError } from '../../../base/errors.ts'
import { type Changing, waitFor } from '../../../base/observable.ts'
import { UndoStack } from '../../../base/undo.ts'
import { CniError, cniErrorCode } from '../../../cni/errors.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { AttachRequest } from '../../driver.ts'
import { findPodNetwork, isAsAsked, type PodNetwork } from '../annotations.ts'
import type { OvnConfig } from '../config.ts'
import { integrationBridge } from '../topology/names.ts'
import { checkDefinition, requirePhysicalNetwork } from './check-secondary.ts'
import type { NodeContext } from './context.ts'
import { diagnoseBinding } from './diagnose.ts'
import { closeFence, openFence } from './fence.ts'
import { describeInterface, hostOperations, type PodInterface, podOperations, resultOf } from './pod-interface.ts'
import { ensurePodPort, isInstalled, removePodPorts } from './pod-port.ts'

/** How long an ADD waits in all for controller and OVN. Users' tools give up after two minutes. */
export const attachTimeoutMs = 30_000

/**
 * ADD. Waits for the controller's annotation, makes the pair, gives it to the switch, and returns when OVN has
 * installed the port's flows: a packet that the pod sends then is delivered. Throws TimeoutError that says which stage
 * is late, CniError when the pod is not the one that the runtime means.
 */
export async function attachPod(
  context: NodeContext,
  request: AttachRequest<OvnConfig>,
  signal: AbortSignal,
): Promise<CniResult> {
  checkDefinition(request)
  const endAt = Date.now() + attachTimeoutMs
  const network = await annotated(context, request, { endAt, signal })
  await bridgeReady(context, { endAt, signal })
  requirePhysicalNetwork(context, request.config)
  const pod = describeInterface(request, network, request.config.mtu ?? context.settings.mtuBytes)
  const undo = new UndoStack()
  try {
    await plumb(context, pod, undo)
    undo.push('the port', () => removePodPorts(context.local, [pod.hostName]))
    // OVN needs its time; the pod's end is set up meanwhile.
    await all([ensurePodPort(context.local, request, pod, signal), setUp(context, pod)])
    await installed(context, request, { pod, network, endAt, signal })
  } catch (error) {
    throw await undo.unwind(error)
  }
  return resultOf(pod)
}

interface Wait {
  readonly endAt: number
  readonly signal: AbortSignal
}

function annotated(context: NodeContext, request: AttachRequest<OvnConfig>, wait: Wait): Promise<PodNetwork> {
  const { namespace, name } = request.pod
  return waitFor(context.pods, () => findNetwork(context, request), {
    what: `the annotation k8s.ovn.org/pod-networks of pod ${namespace}/${name}`,
    timeoutMs: remaining(wait),
    signal: wait.signal,
    detail: () => 'the controller has not given it an address: is it running, and are there Warning events on the pod?',
  })
}

/** An annotation that says otherwise than the pod asks is of an earlier wish: the controller is about to replace it. */
function findNetwork(context: NodeContext, request: AttachRequest<OvnConfig>): PodNetwork | undefined {
  const { namespace, name, uid } = request.pod
  const pod = context.pods.get(name, namespace)
  if (pod === undefined) return undefined
  if (uid !== '' && pod.metadata.uid !== uid) {
    throw new CniError(cniErrorCode.unknownContainer, `pod ${namespace}/${name} was replaced by another of its name`)
  }
  const found = findPodNetwork(pod, request.config.networkKey)
  const has = { addresses: found?.ip_addresses ?? [], mac: found?.mac_address ?? '' }
  return isAsAsked(has, request.requested) ? found : undefined
}

/** The controller gives the address of a pod away that no longer asks for the network, also in the middle of an ADD. */
function requireSame(context: NodeContext, request: AttachRequest<OvnConfig>, network: PodNetwork): void {
  if (isDeepStrictEqual(findNetwork(context, request), network)) return
  const { namespace, name } = request.pod
  throw new CniError(
    cniErrorCode.tryAgainLater,
    `the annotation k8s.ovn.org/pod-networks of pod ${namespace}/${name} changed while it was attached`,
  )
}

function bridgeReady({ local }: NodeContext, wait: Wait): Promise<true> {
  return waitFor(local.client, () => (local.bridge(integrationBridge) === undefined ? undefined : true), {
    what: `the bridge ${integrationBridge}`,
    timeoutMs: remaining(wait),
    signal: wait.signal,
    detail: () => (local.client.isConnected ? 'is ovn-controller running?' : 'Open vSwitch is not running'),
  })
}

async function plumb({ kernel, local }: NodeContext, pod: PodInterface, undo: UndoStack): Promise<void> {
  undo.push('the veth', () => kernel.apply(undefined, [{ op: 'deleteLink', name: pod.hostName }]))
  if (local.datapathType === 'netdev') undo.push('the fence', () => openFence(kernel, pod.hostName))
  await kernel.apply(undefined, hostOperations(pod))
}

async function setUp({ kernel, local }: NodeContext, pod: PodInterface): Promise<void> {
  const isUserspace = local.datapathType === 'netdev'
  await all([
    kernel.apply(pod.netns, podOperations(pod, { isUserspace })),
    ...(isUserspace ? [closeFence(kernel, pod.hostName)] : []),
  ])
}

/** Waits for every task before it fails, so that nothing goes on while the undo runs. */
async function all(tasks: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(tasks)) if (outcome.status === 'rejected') throw outcome.reason
}

async function installed(
  context: NodeContext,
  request: AttachRequest<OvnConfig>,
  { pod, network, ...wait }: Wait & { pod: PodInterface; network: PodNetwork },
): Promise<void> {
  const { local, settings } = context
  const { logicalPort } = pod
  const timeoutMs = remaining(wait)
  const what = `OVN to install the flows of ${logicalPort}`
  try {
    const look = (): true | undefined => {
      requireSame(context, request, network)
      return isInstalled(local, pod.hostName) ? true : undefined
    }
    await waitFor(either(local.client, context.pods), look, { what, timeoutMs, signal: wait.signal })
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error
    const systemId = local.root?.external_ids['system-id']
    const detail = await diagnoseBinding({ southbound: settings.southbound, logicalPort, systemId })
    throw new TimeoutError(what, timeoutMs, { cause: error, detail })
  }
}

function either(...sources: readonly Changing[]): Changing {
  return {
    onChange: (listener) => {
      const unsubscribes = sources.map((source) => source.onChange(listener))
      return () => {
        for (const unsubscribe of unsubscribes) unsubscribe()
      }
    },
  }
}

function remaining({ endAt }: Wait): number {
  return Math.max(1, endAt - Date.now())
}
