import { type Cidr, parseCidr } from '../../../base/ip.ts'
import type { IPPool } from '../resources.ts'

/** How packets between pods of different nodes are wrapped. */
export type Encapsulation = 'vxlan' | 'ipip'

/** What the outer headers of an IPv4 packet need: Ethernet, IP, UDP and VXLAN; or IP. */
export const overheadBytes: Readonly<Record<Encapsulation, number>> = { vxlan: 50, ipip: 20 }

/** The devices' names, as Calico's: who changes over finds them as they were. */
export const tunnelDevices: Readonly<Record<Encapsulation, string>> = { vxlan: 'vxlan.calico', ipip: 'tunl0' }

export interface EncapsulatedPool {
  readonly cidr: Cidr
  readonly encapsulation: Encapsulation
  /** Nodes in one subnet send to each other directly. */
  readonly isCrossSubnet: boolean
}

/**
 * The encapsulation that a pool asks for; undefined for none. A disabled pool still has it: its pods keep running.
 * The API refuses both modes at once; of objects that are older than that, VXLAN counts, as in Calico.
 */
export function encapsulationOf({
  spec,
}: IPPool): { encapsulation: Encapsulation; isCrossSubnet: boolean } | undefined {
  const { vxlanMode = 'Never', ipipMode = 'Never' } = spec
  if (vxlanMode !== 'Never') return { encapsulation: 'vxlan', isCrossSubnet: vxlanMode === 'CrossSubnet' }
  if (ipipMode !== 'Never') return { encapsulation: 'ipip', isCrossSubnet: ipipMode === 'CrossSubnet' }
  return undefined
}

/** IPv4 only: of IPv6 pools none is encapsulated. A prefix that cannot be read is nobody's. */
export function encapsulatedPools(pools: readonly IPPool[]): EncapsulatedPool[] {
  return pools.flatMap((pool) => {
    const found = encapsulationOf(pool)
    const cidr = readCidr(pool.spec.cidr)
    return found === undefined || cidr?.family !== 4 ? [] : [{ cidr, ...found }]
  })
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
