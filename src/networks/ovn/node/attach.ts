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
import { AttachLateError, type LateReason } from './attach-late.ts'
import { AttachTrace } from './attach-trace.ts'
import { checkDefinition, requirePhysicalNetwork } from './check-secondary.ts'
import type { NodeContext } from './context.ts'
import { diagnoseBinding } from './diagnose.ts'
import { closeFence, openFence } from './fence.ts'
import { describeInterface, hostOperations, type PodInterface, podOperations, resultOf } from './pod-interface.ts'
import { ensurePodPort, isInstalled, removePodPorts } from './pod-port.ts'

/**
 * ADD. Waits for the controller's annotation, makes the pair, gives it to the switch, and returns when OVN has
 * installed the port's flows: a packet that the pod sends then is delivered. Throws AttachLateError that says which
 * stage is late and why, CniError when the pod is not the one that the runtime means.
 */
export async function attachPod(
  context: NodeContext,
  request: AttachRequest<OvnConfig>,
  signal: AbortSignal,
): Promise<CniResult> {
  const trace = new AttachTrace()
  try {
    const result = await attachInStages(context, request, { trace, signal })
    report(context, request, trace, { result: result.ips.map(({ address }) => address).join(' ') })
    return result
  } catch (failure) {
    const error = failure instanceof AttachLateError ? withTimes(failure, trace) : failure
    report(context, request, trace, { error })
    throw error
  }
}

async function attachInStages(
  context: NodeContext,
  request: AttachRequest<OvnConfig>,
  { trace, signal }: { trace: AttachTrace; signal: AbortSignal },
): Promise<CniResult> {
  checkDefinition(request)
  const wait = { endAt: Date.now() + context.settings.attachTimeoutMs, signal }
  // The controller, ovn-controller and Open vSwitch may be away: whoever needs none of them must not wait behind us.
  const pause = <T>(wait: () => Promise<T>): Promise<T> => request.turn?.pause(wait) ?? wait()
  const network = await trace.during('annotation', () => pause(() => annotated(context, request, wait)))
  await trace.during('switch', () => pause(() => bridgeReady(context, wait)))
  requirePhysicalNetwork(context, request.config)
  const known = withUid(context, request)
  const pod = describeInterface(request, network, request.config.mtu ?? context.settings.mtuBytes)
  const undo = new UndoStack()
  try {
    await trace.during('device', () => plumb(context, pod, undo))
    undo.push('the port', () => removePodPorts(context.local, [pod.hostName]))
    // OVN needs its time; the pod's end is set up meanwhile.
    await trace.during('port', () => all([ensurePodPort(context.local, known, pod, signal), setUp(context, pod)]))
    await trace.during('flows', () => pause(() => installed(context, request, { pod, network, ...wait })))
  } catch (error) {
    throw await undo.unwind(error)
  }
  return resultOf(pod)
}

/** OVN gives a port only to the very pod; a runtime, or a plugin that delegates to us, may not have told its UID. */
function withUid({ pods }: NodeContext, request: AttachRequest<OvnConfig>): AttachRequest<OvnConfig> {
  const { namespace, name, uid } = request.pod
  if (uid !== '') return request
  return { ...request, pod: { namespace, name, uid: pods.get(name, namespace)?.metadata.uid ?? '' } }
}

function report(
  { attachMetrics, attachLog }: NodeContext,
  request: AttachRequest<OvnConfig>,
  trace: AttachTrace,
  outcome: { result?: string; error?: unknown },
): void {
  attachMetrics.observe(trace, outcome.error)
  attachLog.write(request, { verb: 'ADD', ms: trace.ms, stages: String(trace), ...outcome })
}

function withTimes(error: AttachLateError, trace: AttachTrace): AttachLateError {
  return new AttachLateError(error.reason, `${error.message} (${trace})`, { cause: error.cause })
}

interface Wait {
  readonly endAt: number
  readonly signal: AbortSignal
}

function annotated(context: NodeContext, request: AttachRequest<OvnConfig>, wait: Wait): Promise<PodNetwork> {
  const { namespace, name } = request.pod
  return inTime(
    'no-annotation',
    waitFor(context.pods, () => findNetwork(context, request), {
      what: `the annotation k8s.ovn.org/pod-networks of pod ${namespace}/${name}`,
      timeoutMs: remaining(wait),
      signal: wait.signal,
      detail: () =>
        'the controller has not given it an address: is it running, and are there Warning events on the pod?',
    }),
  )
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
  const isThere = (): true | undefined =>
    local.client.isConnected && local.bridge(integrationBridge) !== undefined ? true : undefined
  return inTime(
    'no-switch',
    waitFor(local.client, isThere, {
      what: `the bridge ${integrationBridge}`,
      timeoutMs: remaining(wait),
      signal: wait.signal,
      detail: () => (local.client.isConnected ? 'is ovn-controller running?' : 'Open vSwitch is not running'),
    }),
  )
}

/** A deadline that is over becomes an error with its reason. */
async function inTime<T>(reason: LateReason, wait: Promise<T>): Promise<T> {
  try {
    return await wait
  } catch (error) {
    if (error instanceof TimeoutError) throw new AttachLateError(reason, error.message, { cause: error })
    throw error
  }
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
    const { reason, text } = await diagnoseBinding({ ...settings, logicalPort, systemId })
    throw new AttachLateError(reason, `${error.message}: ${text}`, { cause: error })
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
