import type { PodResource } from '../../../kube/resources/core.ts'
import { networkStatusAnnotation } from '../../../kube/resources/net-attach-def.ts'
import { bareAddress } from '../annotations.ts'
import type { SecondaryPlace } from '../secondary/pod-rows.ts'
import type { LogicalSwitchPort } from '../tables/northbound.ts'
import { portAddresses } from './pod-port-plan.ts'
import type { PodPlace } from './pod-rows.ts'

/**
 * Whether a pod still has the interface of its place: OVN has its port bound, or network-status tells of the address.
 * The agent takes the port away first and writes network-status last, so one of the two holds until its detach has
 * ended, also when the agent is killed in between.
 */
export function isInUse(
  pod: Pick<PodResource, 'metadata'>,
  place: PodPlace,
  port: Pick<LogicalSwitchPort, 'addresses' | 'options' | 'up'> | undefined,
): boolean {
  const addresses = place.addresses.map(bareAddress)
  return isBound(place, addresses, port) || addresses.some((address) => isTold(pod, address))
}

function isBound(place: PodPlace, addresses: readonly string[], port: Parameters<typeof isInUse>[2]): boolean {
  const isOwn = port?.up === true && port.options['iface-id-ver'] === place.uid
  return isOwn && portAddresses(port).some((address) => addresses.includes(address))
}

/** The same for a secondary network, which network-status tells of by the name of the definition. */
export function isSecondaryInUse(
  pod: Pick<PodResource, 'metadata'>,
  place: Pick<SecondaryPlace, 'uid' | 'nad'>,
  port: Pick<LogicalSwitchPort, 'options' | 'up'> | undefined,
): boolean {
  const isBound = port?.up === true && port.options['iface-id-ver'] === place.uid
  return isBound || statusOf(pod).some((item) => item?.name === place.nad)
}

function isTold(pod: Pick<PodResource, 'metadata'>, address: string): boolean {
  return statusOf(pod).some((item) => hasAddress(item?.ips, address))
}

type StatusItem = { readonly ips?: unknown; readonly name?: unknown } | null

function statusOf({ metadata }: Pick<PodResource, 'metadata'>): readonly StatusItem[] {
  try {
    const status: unknown = JSON.parse(metadata.annotations?.[networkStatusAnnotation] ?? '[]')
    return Array.isArray(status) ? (status as StatusItem[]) : []
  } catch {
    // Anybody may write it; a text that is no JSON tells of nothing.
    return []
  }
}

function hasAddress(ips: unknown, address: string): boolean {
  return Array.isArray(ips) && ips.some((ip) => String(ip).split('/')[0] === address)
}
