import { createSocket } from 'node:dgram'
import { defer, withDeadline } from '../../../base/clock.ts'
import { TwinlaneError } from '../../../base/errors.ts'
import { type Family, familyOf } from '../../../base/ip.ts'
import { waitFor } from '../../../base/observable.ts'
import type { Kernel } from '../../../kernel/kernel.ts'
import { type NodeResource, nodes } from '../../../kube/resources/core.ts'
import type { NodeDeps } from '../../driver.ts'
import { nodeAnnotations } from '../virtual-node.ts'
import { findAddressDoubts } from './address-doubts.ts'
import { candidateAddresses, type DetectedAddress, type HostInterface } from './detect-address.ts'

export interface NodeAddress {
  /** With prefix length, as the annotation has it. */
  readonly text: string
  /** Of which the address is; undefined, as is its MTU, when the stored address is on no interface. */
  readonly interfaceName: string | undefined
  readonly mtuBytes: number | undefined
  /** Why it may be another than the one that is meant. */
  readonly doubts: readonly string[]
}

/** How the address of one family is found. */
export interface DetectionMethod {
  readonly family: Family
  readonly method: string
}

/** Where a Node keeps its address of a family. */
export const annotationOf: Readonly<Record<Family, string>> = {
  4: nodeAnnotations.ipv4Address,
  6: nodeAnnotations.ipv6Address,
}

const settingOf: Readonly<Record<Family, string>> = { 4: 'ipAutodetectionMethod', 6: 'ip6AutodetectionMethod' }

/**
 * Finds the address that this node speaks BGP with and writes it to the Node's annotation. When nothing is found the
 * stored address stays; with `keepsStored` it stays also as long as it fits the method, whatever else does. Throws
 * TwinlaneError when there is none either.
 */
export async function ensureNodeAddress(
  deps: NodeDeps,
  how: DetectionMethod & { readonly keepsStored?: boolean },
  signal: AbortSignal,
): Promise<NodeAddress> {
  const node = await waitFor(deps.nodes, () => deps.nodes.get(deps.nodeName), {
    what: `the Node object ${deps.nodeName}`,
    timeoutMs: 60_000,
    signal,
  })
  const stored = node.metadata.annotations?.[annotationOf[how.family]]
  const candidates = await detect(deps.kernel, node, how)
  const kept = how.keepsStored === true ? candidates.find((candidate) => textOf(candidate) === stored) : undefined
  const detected = kept ?? candidates[0]
  if (detected === undefined) return keepStored(stored, how)
  const text = textOf(detected)
  if (text !== stored) await store(deps, { text, stored, detected, how })
  const mtuBytes = await mtuOf(deps.kernel, detected.interfaceName)
  const doubts = findAddressDoubts(how.method, detected, candidates)
  return { text, interfaceName: detected.interfaceName, mtuBytes, doubts }
}

function textOf({ address, prefixLength }: DetectedAddress): string {
  return `${address}/${prefixLength}`
}

function keepStored(stored: string | undefined, { family, method }: DetectionMethod): NodeAddress {
  if (stored === undefined) {
    throw new TwinlaneError(`failed to autodetect an IPv${family} address by the method "${method}"`, {
      fix: `set networks.routed.${settingOf[family]} to one that fits an interface of this node, e.g. interface=^ens2$`,
    })
  }
  const doubts = [`no address of this node fits ${method}; the stored one, ${stored}, stays`]
  return { text: stored, interfaceName: undefined, mtuBytes: undefined, doubts }
}

async function store(
  { kube, log, nodeName, events }: NodeDeps,
  change: { text: string; stored: string | undefined; detected: DetectedAddress; how: DetectionMethod },
): Promise<void> {
  const { text, stored, detected } = change
  const { family, method } = change.how
  const facts = { address: text, interface: detected.interfaceName, method, because: detected.because, before: stored }
  if (stored === undefined) log.info(facts, "this node's BGP address")
  else log.warn(facts, "this node's BGP address has changed")
  const annotations = { [annotationOf[family]]: text }
  await kube.patch(nodes, nodeName, { type: 'merge', body: { metadata: { annotations } } })
  const about = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName } }
  const was = stored === undefined ? '' : `, before it was ${stored}`
  const message = `BGP uses ${text} of ${detected.interfaceName}: ${detected.because} (${method})${was}`
  events.event(about, stored === undefined ? 'Normal' : 'Warning', 'NodeAddress', message)
}

async function detect(
  kernel: Kernel,
  node: NodeResource,
  { family, method }: DetectionMethod,
): Promise<DetectedAddress[]> {
  const reported = node.status?.addresses ?? []
  return candidateAddresses(method, {
    family,
    interfaces: await hostInterfaces(kernel, family),
    internalAddresses: reported.filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
    localAddressTowards: (destination) => localAddressTowards(destination, family),
  })
}

async function hostInterfaces(kernel: Kernel, family: Family): Promise<HostInterface[]> {
  const [links, addresses] = await Promise.all([kernel.links(undefined), kernel.addresses(undefined)])
  return links.map(({ name, index }) => ({
    name,
    index,
    addresses: addresses.filter((each) => each.linkIndex === index && each.family === family),
  }))
}

export async function mtuOf(kernel: Kernel, interfaceName: string): Promise<number | undefined> {
  return (await kernel.findLink(undefined, interfaceName))?.mtuBytes
}

/** Connecting a datagram socket sends nothing; it only makes the kernel choose a source address. */
async function localAddressTowards(destination: string, family: Family): Promise<string | undefined> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  const connected = defer<string | undefined>()
  socket.once('error', () => connected.resolve(undefined))
  try {
    socket.connect(80, destination, () => connected.resolve(socket.address().address))
    const found = await withDeadline(connected.promise, { what: `a way to ${destination}`, timeoutMs: 5000 })
    return found !== undefined && familyOf(found) === family ? found : undefined
  } finally {
    socket.close()
  }
}
