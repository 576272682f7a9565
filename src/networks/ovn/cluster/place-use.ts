import type { PodResource } from '../../../kube/resources/core.ts'
import { networkStatusAnnotation } from '../../../kube/resources/net-attach-def.ts'
import type { LogicalSwitchPort } from '../tables/northbound.ts'
import { portAddress } from './pod-port-plan.ts'
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
  return isBound(place, port) || isTold(pod, place.address)
}

function isBound(place: PodPlace, port: Parameters<typeof isInUse>[2]): boolean {
  return port?.up === true && port.options['iface-id-ver'] === place.uid && portAddress(port) === place.address
}

function isTold({ metadata }: Pick<PodResource, 'metadata'>, address: string): boolean {
  try {
    const status: unknown = JSON.parse(metadata.annotations?.[networkStatusAnnotation] ?? '[]')
    return Array.isArray(status) && status.some((item: { ips?: unknown } | null) => hasAddress(item?.ips, address))
  } catch {
    // Anybody may write it; a text that is no JSON tells of nothing.
    return false
  }
}

function hasAddress(ips: unknown, address: string): boolean {
  return Array.isArray(ips) && ips.some((ip) => String(ip).split('/')[0] === address)
}
