import type { Log } from '../../../base/log.ts'
import type { Informer, KubeClient } from '../../../kube/api.ts'
import { isAlreadyExists } from '../../../kube/errors.ts'
import type { RoutedSettings } from '../config.ts'
import { type IPPool, ipPools } from '../resources.ts'

/** Name that Calico gives to the pool it makes. */
const defaultPoolName = 'default-ipv4-ippool'

/**
 * Makes the pool of the settings if there is no IPv4 pool at all. Once there is one, the settings have no effect any
 * more: the pool itself is what to change.
 */
export async function ensureDefaultPool(
  deps: { kube: KubeClient; log: Log; pools: Informer<IPPool> },
  settings: RoutedSettings,
): Promise<void> {
  if (deps.pools.list().some(({ spec }) => !spec.cidr.includes(':'))) return
  try {
    await deps.kube.create(ipPools, defaultPool(settings))
    deps.log.info({ cidr: settings.ipPoolCidr, blockSize: settings.blockSize }, 'created the default IPPool')
  } catch (error) {
    // Another node was faster.
    if (!isAlreadyExists(error)) throw error
  }
}

function defaultPool(settings: RoutedSettings): IPPool {
  return {
    metadata: { name: defaultPoolName },
    spec: {
      cidr: settings.ipPoolCidr,
      blockSize: settings.blockSize,
      ipipMode: 'Never',
      vxlanMode: 'Never',
      natOutgoing: settings.natOutgoing,
      nodeSelector: 'all()',
      allowedUses: ['Workload', 'Tunnel'],
    },
  }
}
