import { createHash } from 'node:crypto'
import type { Family } from '../../../base/ip.ts'
import type { AttachmentKey, PodRef } from '../../driver.ts'

/** Prefix of every host interface of this network; nobody else's may have it. */
export const hostInterfacePrefix = 'cali'

/** Every host end has this address, so that the pod's entry for its gateway never changes. */
export const hostMac = 'ee:ee:ee:ee:ee:ee'

/**
 * Next hops of every pod. No interface has the IPv4 one, the host answers ARP for it; the IPv6 one is every host end's
 * own link-local address, which follows from its MAC address.
 */
export const podGateways: Readonly<Record<Family, string>> = { 4: '169.254.1.1', 6: 'fe80::ecee:eeff:feee:eeee' }

/**
 * Name of the host end: for eth0 the one that Calico would give it. It depends on the pod's name, not on the
 * container, so that a pod of a StatefulSet keeps it.
 */
export function hostInterfaceName(pod: Pick<PodRef, 'namespace' | 'name'>, ifName: string): string {
  const identity = ifName === 'eth0' ? `${pod.namespace}.${pod.name}` : `${pod.namespace}.${pod.name}.${ifName}`
  return `${hostInterfacePrefix}${createHash('sha1').update(identity).digest('hex').slice(0, 11)}`
}

/** The pod end's address: the same for the same attachment, locally administered, unicast. */
export function podMac(key: AttachmentKey): string {
  const digest = createHash('sha1').update(`${key.containerId}/${key.ifName}`).digest()
  const first = ((digest[0] ?? 0) & 0xfc) | 0x02
  return [first, ...digest.subarray(1, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Metric of an additional interface's route to its gateway: its own in the pod, behind that of eth0. */
export function linkMetric(ifName: string): number {
  return 1024 + createHash('sha1').update(ifName).digest().readUInt16BE()
}

/** What the host end's alias in the kernel says: enough to repair and to clean up without any file. */
export interface LinkOwner extends AttachmentKey {
  /** All that is routed to the pod: its own, IPv4 first, then floating ones. */
  readonly addresses: readonly string[]
  /** Those of `addresses` that the pod does not know of. @default none */
  readonly floating?: readonly string[] | undefined
  /** Of the pod's end. @default unknown, of an agent of before */
  readonly mac?: string | undefined
}

const aliasMark = 'twinlane-routed'
/** In the place of floating addresses. */
const nothing = '-'

export function formatAlias(owner: LinkOwner): string {
  const { containerId, ifName, addresses, floating = [], mac } = owner
  const end = mac === undefined && floating.length === 0 ? [] : [floating.join(',') || nothing]
  return [aliasMark, containerId, ifName, addresses.join(','), ...end, ...(mac === undefined ? [] : [mac])].join(' ')
}

export function parseAlias(alias: string | undefined): LinkOwner | undefined {
  const [mark, containerId, ifName, addresses, floating, mac] = (alias ?? '').split(' ')
  if (mark !== aliasMark || containerId === undefined || ifName === undefined || addresses === undefined)
    return undefined
  return {
    containerId,
    ifName,
    addresses: addresses.split(','),
    ...(floating === undefined || floating === nothing ? {} : { floating: floating.split(',') }),
    ...(mac === undefined ? {} : { mac }),
  }
}

export function isSameAttachment(a: AttachmentKey, b: AttachmentKey): boolean {
  return a.containerId === b.containerId && a.ifName === b.ifName
}
