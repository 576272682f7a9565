import { type Cidr, familyOf } from '../../../base/ip.ts'
import { type NamespaceResource, namespaces, type PodResource } from '../../../kube/resources/core.ts'
import type { AttachRequest } from '../../driver.ts'
import { type AddressPlan, type AddressWish, planAddresses } from '../address-plan.ts'
import type { RoutedConfig } from '../config.ts'
import type { AddressRequest } from '../ipam/assign.ts'
import { isSameInterface } from '../ipam/handles.ts'
import { selectPools } from '../ipam/pools.ts'
import { type PodAddressing, podAddressing } from '../pod-annotations.ts'
import type { IPPool } from '../resources.ts'
import type { NodeContext } from './context.ts'
import { requireFamilies } from './floating.ts'

type Request = Pick<AttachRequest<RoutedConfig>, 'config' | 'containerId' | 'ifName' | 'pod' | 'requested'>

/** What was decided about an attachment before anything is done. */
export interface Decided {
  readonly plan: AddressPlan
  /** That an annotation asks for. */
  readonly mac: string | undefined
  readonly floating: readonly string[]
  readonly namespace: NamespaceResource | undefined
}

/** Which addresses and which MAC address the attachment is to have. Throws ConfigError. */
export async function decide(context: NodeContext, request: Request): Promise<Decided> {
  const namespace = await namespaceOf(context, request.pod.namespace)
  const addressing = addressingOf(context, request, namespace)
  const plan = planAddresses({ config: request.config, settings: context.settings }, request.requested, addressing)
  const floating = addressing.floating ?? []
  requireFamilies(floating, plan)
  return { plan, mac: request.requested.mac?.toLowerCase() ?? addressing.mac, floating, namespace }
}

/** Whether the pod's annotations say that its addresses are none of IPAM's. A pod that is gone says nothing. */
export async function isOutsideIpam(
  context: NodeContext,
  ref: Pick<Request, 'config' | 'ifName' | 'pod'>,
): Promise<boolean> {
  return addressingOf(context, ref, await namespaceOf(context, ref.pod.namespace)).isOutsideIpam
}

/** Takes the addresses, of both families at once. The caller gives back what was taken when this fails. */
export async function assignAddresses(
  context: NodeContext,
  request: Request,
  {
    plan,
    namespace,
    handleId,
    avoid,
    signal,
  }: Decided & { handleId: string; avoid?: readonly Cidr[]; signal: AbortSignal },
): Promise<string[]> {
  if (plan.isOutsideIpam) return plan.wishes.flatMap(({ address }) => address ?? [])
  const secondary = secondaryOf(context.deps.nodeName, request)
  const tasks = plan.wishes.map((wish) =>
    assignOne(context, { wish, namespace, handleId, secondary, request, avoid }, signal),
  )
  // All have ended before the undo begins.
  await Promise.allSettled(tasks)
  return (await Promise.all(tasks)).sort((a, b) => familyOf(a) - familyOf(b))
}

/** Pools that may give an address of the wish now, in order. Throws IpamError when there is none. */
export function poolsFor(
  { deps, pools }: NodeContext,
  wish: AddressWish,
  namespace: NamespaceResource | undefined,
): IPPool[] {
  return selectPools(pools.list(), {
    family: wish.family,
    nodeName: deps.nodeName,
    nodeLabels: deps.nodes.get(deps.nodeName)?.metadata.labels ?? {},
    namespaceLabels: namespace?.metadata.labels,
    requested: wish.pools,
    address: wish.address,
  })
}

function assignOne(
  context: NodeContext,
  facts: {
    wish: AddressWish
    namespace: NamespaceResource | undefined
    handleId: string
    secondary: Record<string, string>
    request: Request
    avoid: readonly Cidr[] | undefined
  },
  signal: AbortSignal,
): Promise<string> {
  const { deps, assigner } = context
  const { wish, namespace, handleId, secondary, request, avoid } = facts
  const candidates = poolsFor(context, wish, namespace)
  const isPredecessor: AddressRequest['isPredecessor'] = ({ handleId: other, secondary: { node, pod, namespace } }) =>
    pod !== undefined &&
    [node, namespace, pod].join('/') === [deps.nodeName, request.pod.namespace, request.pod.name].join('/') &&
    isSameInterface(other, handleId, request.ifName)
  const { family, address } = wish
  const holder = { handleId, secondary }
  return assigner.assign({ holder, family, pools: candidates, address, avoid, isPredecessor }, signal)
}

function addressingOf(
  context: NodeContext,
  request: Pick<Request, 'config' | 'ifName' | 'pod'>,
  namespace: NamespaceResource | undefined,
): PodAddressing {
  const annotations = {
    pod: findPod(context, request)?.metadata.annotations ?? {},
    namespace: namespace?.metadata.annotations ?? {},
  }
  return podAddressing(annotations, { ifName: request.ifName, features: request.config.feature_control })
}

/** From the copy: no ADD asks the API, but the first one in a namespace that is not known yet. */
async function namespaceOf(
  { deps, namespaces: known }: NodeContext,
  name: string,
): Promise<NamespaceResource | undefined> {
  if (name === '') return undefined
  return known.get(name) ?? (await deps.kube.find(namespaces, name))
}

/** A container that is no pod has none to be looked for: its address is not taken for that of a lost pod. */
function secondaryOf(node: string, { pod, containerId }: Request): Record<string, string> {
  const owner = pod.namespace === '' ? { container: containerId } : { namespace: pod.namespace, pod: pod.name }
  return { node, ...owner, timestamp: new Date().toISOString() }
}

function findPod({ deps }: NodeContext, { pod }: Pick<Request, 'pod'>): PodResource | undefined {
  return deps.pods.get(pod.name, pod.namespace)
}
