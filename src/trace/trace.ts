import { NotFoundError } from '../base/errors.ts'
import type { NodeFacts, PodFacts } from './facts.ts'
import { Walk } from './walk.ts'
import type { Crossing, End, WalkContext, Way } from './way.ts'

export interface TraceRequest {
  readonly pod: { readonly namespace: string; readonly name: string }
  readonly destination: string
  readonly tcpPort?: number | undefined
  /** The packet is sent from the address of this interface; else the kernel chooses. */
  readonly interfaceName?: string | undefined
}

export interface Trace {
  readonly forward: Way
  /** Absent when there is nobody to answer. */
  readonly reverse?: Way | undefined
  /** `symmetric`, `asymmetric at …` or `undecided: …`. */
  readonly verdict: string
}

/** Follows a packet to its destination and the answer back. Throws NotFoundError for a pod that no node has. */
export async function tracePod(context: WalkContext, request: TraceRequest): Promise<Trace> {
  const { node, pod } = locate(context.nodes, request.pod)
  const source = sourceOf(pod, request)
  const forward = await new Walk(context, {
    source,
    destination: request.destination,
    tcpPort: request.tcpPort,
  }).fromPod(node, pod)
  const reverse = await walkBack(context, forward)
  return { forward, reverse, verdict: judge(forward, reverse, request.pod) }
}

function locate(nodes: readonly NodeFacts[], wanted: TraceRequest['pod']): { node: NodeFacts; pod: PodFacts } {
  for (const node of nodes) {
    const pod = node.pods.find(({ namespace, name }) => namespace === wanted.namespace && name === wanted.name)
    if (pod !== undefined) return { node, pod }
  }
  throw new NotFoundError(`no node that was asked has attached pod ${wanted.namespace}/${wanted.name}`, {
    fix: 'look at its node with "twinlane get pod"; pods on the host network have none of their own',
  })
}

function sourceOf(pod: PodFacts, { interfaceName, destination }: TraceRequest): string | undefined {
  if (interfaceName === undefined) return undefined
  const device = pod.kernel.devices.find(({ name }) => name === interfaceName)
  const isIpv6 = destination.includes(':')
  const address = device?.addresses
    .map((text) => text.split('/')[0] ?? '')
    .find((text) => text.includes(':') === isIpv6)
  if (address !== undefined) return address
  throw new NotFoundError(
    `pod ${pod.namespace}/${pod.name} has no ${interfaceName} with an address for ${destination}`,
    {
      fix: `name one of ${pod.interfaces.map(({ name }) => name).join(', ')}`,
    },
  )
}

/** The answer goes to the source that the packet had when it arrived. */
async function walkBack(
  context: WalkContext,
  { end, source, destination, tcpPort, nat }: Way,
): Promise<Way | undefined> {
  const walk = new Walk(context, { source: destination, destination: source, tcpPort, answerTo: { nat } })
  if (end.kind === 'pod') {
    const { node, pod } = locate(context.nodes, end)
    return await walk.fromPod(node, pod)
  }
  const node = end.kind === 'lost' ? undefined : context.nodes.find((each) => each.node === end.node)
  if (node === undefined) return undefined
  if (end.kind === 'node') return await walk.fromNode(node)
  // From outside it comes to the node that has the address, by the device that has it.
  const device = node.host.devices.find(({ addresses }) => addresses.some((each) => each.split('/')[0] === source))
  return device === undefined || isOvnPort(end.kind === 'outside' ? end.device : '', node)
    ? undefined
    : await walk.fromNode(node, device.name)
}

/** What leaves by a gateway router comes back by it: the bridge's own connection tracking knows. */
function isOvnPort(device: string, { host }: NodeFacts): boolean {
  return !host.devices.some(({ name }) => name === device)
}

/** Whether the answer passes the devices that the packet passed. The first place where it does not is named. */
export function judge(forward: Way, reverse: Way | undefined, pod: TraceRequest['pod']): string {
  if (forward.end.kind === 'lost') return `undecided: the packet is lost at ${forward.end.place}: ${forward.end.why}`
  if (reverse === undefined) {
    return `undecided: nobody that was asked tells how an answer to ${forward.source} comes in from ${describeEnd(forward.end)}`
  }
  const difference = findDifference(forward, reverse)
  const { end } = reverse
  const lost = end.kind === 'lost' ? `it is lost at ${end.place}: ${end.why}` : undefined
  if (difference !== undefined) return `${difference}${lost === undefined ? '' : `, where ${lost}`}`
  if (lost !== undefined) return `no answer: ${lost}`
  const isBack = end.kind === 'pod' && end.namespace === pod.namespace && end.name === pod.name
  return isBack ? 'symmetric' : `no answer: it ends at ${describeEnd(end)}`
}

/** The first device of the answer that the packet did not pass there. What lies behind a loss is no difference. */
function findDifference(forward: Way, { crossings, end }: Way): string | undefined {
  const there = [...forward.crossings].reverse()
  const length = end.kind === 'lost' ? crossings.length : Math.max(there.length, crossings.length)
  for (let index = 0; index < length; index++) {
    const [one, other] = [there[index], crossings[index]]
    if (one === undefined || other === undefined || !isSame(one, other)) return describeDifference(one, other)
  }
  return undefined
}

function describeDifference(there: Crossing | undefined, back: Crossing | undefined): string {
  if (there === undefined)
    return `asymmetric at ${back?.place}: the answer passes it by ${back?.device}, the packet did not`
  if (back === undefined)
    return `asymmetric at ${there.place}: the packet passed it by ${there.device}, the answer ends before`
  const where = there.place === back.place ? 'it' : there.place
  return `asymmetric at ${back.place}: the packet passed ${where} by ${there.device}, the answer takes ${back.device}`
}

function isSame(a: Crossing, b: Crossing): boolean {
  return a.place === b.place && a.device === b.device
}

export function describeEnd(end: End): string {
  if (end.kind === 'pod') return `pod ${end.namespace}/${end.name} (${end.device})`
  if (end.kind === 'node') return `node ${end.node}`
  if (end.kind === 'lost') return `${end.place}: ${end.why}`
  return `outside, by ${end.device} of ${end.node}${end.gateway === undefined ? '' : ` and ${end.gateway}`}`
}
