import { type Cidr, type Family, parseCidr } from '../../../base/ip.ts'
import type { IPPool } from '../resources.ts'

/** How packets between pods of different nodes are wrapped; IPv6 ones in IPv6 (as Calico does). */
export type Encapsulation = 'vxlan' | 'vxlan6' | 'ipip'

/** Of the packets and of what they are wrapped in. */
export const tunnelFamilies: Readonly<Record<Encapsulation, Family>> = { vxlan: 4, vxlan6: 6, ipip: 4 }

/** What the outer headers need: Ethernet, IP, UDP and VXLAN; or IP. */
export const overheadBytes: Readonly<Record<Encapsulation, number>> = { vxlan: 50, vxlan6: 70, ipip: 20 }

/** The devices' names, as Calico's: who changes over finds them as they were. */
export const tunnelDevices: Readonly<Record<Encapsulation, string>> = {
  vxlan: 'vxlan.calico',
  vxlan6: 'vxlan-v6.calico',
  ipip: 'tunl0',
}

export const encapsulations = Object.keys(tunnelDevices) as readonly Encapsulation[]

export interface EncapsulatedPool {
  readonly cidr: Cidr
  readonly encapsulation: Encapsulation
  /** Nodes in one subnet send to each other directly. */
  readonly isCrossSubnet: boolean
}

/**
 * The encapsulation that a pool asks for; undefined for none. A disabled pool still has it: its pods keep running.
 * The API refuses both modes at once, and IP-in-IP of IPv6; of objects that are older than that, VXLAN counts, as in
 * Calico. A prefix that cannot be read is nobody's.
 */
export function encapsulationOf({
  spec,
}: IPPool): { encapsulation: Encapsulation; isCrossSubnet: boolean; cidr: Cidr } | undefined {
  const { vxlanMode = 'Never', ipipMode = 'Never' } = spec
  const cidr = readCidr(spec.cidr)
  if (cidr === undefined) return undefined
  if (vxlanMode !== 'Never') {
    const encapsulation = cidr.family === 4 ? 'vxlan' : 'vxlan6'
    return { encapsulation, isCrossSubnet: vxlanMode === 'CrossSubnet', cidr }
  }
  if (ipipMode === 'Never' || cidr.family === 6) return undefined
  return { encapsulation: 'ipip', isCrossSubnet: ipipMode === 'CrossSubnet', cidr }
}

export function encapsulatedPools(pools: readonly IPPool[]): EncapsulatedPool[] {
  return pools.flatMap((pool) => encapsulationOf(pool) ?? [])
}

/** What remains of a NIC's MTU for a pod: packets that leave it must fit whatever the pools wrap them in. */
export function podMtuBytes(nicMtuBytes: number, pools: readonly IPPool[]): number {
  const overheads = encapsulatedPools(pools).map(({ encapsulation }) => overheadBytes[encapsulation])
  return nicMtuBytes - Math.max(0, ...overheads)
}

function readCidr(text: string): Cidr | undefined {
  try {
    return parseCidr(text)
  } catch {
    return undefined
  }
}
