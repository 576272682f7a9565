import type { Family } from '../../../base/ip.ts'
import type { Log } from '../../../base/log.ts'
import type { Informer, KubeClient } from '../../../kube/api.ts'
import { isAlreadyExists } from '../../../kube/errors.ts'
import type { RoutedSettings } from '../config.ts'
import { type IPPool, ipPools } from '../resources.ts'

/** Names that Calico gives to the pools it makes. */
const defaultPoolNames: Readonly<Record<Family, string>> = { 4: 'default-ipv4-ippool', 6: 'default-ipv6-ippool' }

/**
 * Makes the pools of the settings, of each family that the node speaks if there is no pool of it at all. Once there is
 * one, the settings have no effect any more: the pool itself is what to change.
 */
export async function ensureDefaultPools(
  deps: { kube: KubeClient; log: Log; pools: Informer<IPPool> },
  settings: RoutedSettings,
): Promise<void> {
  const known = deps.pools.list().map(({ spec }) => (spec.cidr.includes(':') ? 6 : 4))
  const { ipv6PoolCidr } = settings
  if (!known.includes(4) && settings.ipAutodetectionMethod !== 'none') {
    const { ipPoolCidr: cidr, blockSize, natOutgoing, ipipMode, vxlanMode } = settings
    await ensurePool(deps, defaultPool(4, { cidr, blockSize, natOutgoing, ipipMode, vxlanMode }))
  }
  if (ipv6PoolCidr !== undefined && !known.includes(6)) {
    const { ipv6BlockSize: blockSize, ipv6NatOutgoing: natOutgoing, ipv6VxlanMode: vxlanMode } = settings
    await ensurePool(deps, defaultPool(6, { cidr: ipv6PoolCidr, blockSize, natOutgoing, vxlanMode }))
  }
}

async function ensurePool({ kube, log }: { kube: KubeClient; log: Log }, pool: IPPool): Promise<void> {
  try {
    await kube.create(ipPools, pool)
    log.info({ cidr: pool.spec.cidr, blockSize: pool.spec.blockSize }, 'created the default IPPool')
  } catch (error) {
    // Another node was faster.
    if (!isAlreadyExists(error)) throw error
  }
}

type PoolSettings = Pick<IPPool['spec'], 'cidr' | 'blockSize' | 'natOutgoing' | 'ipipMode' | 'vxlanMode'>

function defaultPool(family: Family, spec: PoolSettings): IPPool {
  return {
    metadata: { name: defaultPoolNames[family] },
    spec: {
      ipipMode: 'Never',
      vxlanMode: 'Never',
      ...spec,
      nodeSelector: 'all()',
      allowedUses: ['Workload', 'Tunnel'],
    },
  }
}
