import { CniError, cniErrorCode } from '../../cni/errors.ts'
import { resultFromVersion } from '../../cni/read-result.ts'
import type { CniRequest } from '../../cni/request.ts'
import { resultToVersion } from '../../cni/versions.ts'
import type { AddressManagement, AddressRequest } from '../../networks/driver.ts'
import type { Networks } from '../networks.ts'
import { readPodRef } from '../pod-lookup.ts'
import type { CniContext } from './context.ts'

/**
 * Whether a plugin for address management was called, e.g. `calico-ipam` by the plugin of an attachment. It asks on
 * behalf of an ADD, DEL or CHECK of the same container that waits for it.
 */
export function isForAddresses({ pluginName }: Pick<CniRequest, 'pluginName'>, networks: Networks): boolean {
  return findManagement(pluginName, networks) !== undefined
}

/** Answers for a plugin for address management (CNI spec section 4, "IPAM"). Throws CniError. */
export async function manageAddresses(request: CniRequest, context: CniContext, signal: AbortSignal): Promise<unknown> {
  const { config, containerId, ifName, args, command } = request
  const management = findManagement(request.pluginName, context.networks)
  if (management === undefined) throw new Error(`"${request.pluginName}" manages no addresses`)
  if (command === 'STATUS' || command === 'GC') return undefined
  requireOwnType(request)
  const wanted: AddressRequest = { containerId, ifName, args, config, pod: readPodRef(request) }
  if (command === 'ADD') return resultToVersion(await management.allocate(wanted, signal), config.cniVersion)
  if (command === 'DEL') await management.release(wanted)
  else await check(management, wanted)
  return undefined
}

function findManagement(type: string, networks: Networks): AddressManagement | undefined {
  return networks.all.find(({ driver }) => driver.ipamTypes?.includes(type) === true)?.nodeSide.addresses
}

/** The plugin that is called gets the configuration of the one that calls it. */
function requireOwnType({ pluginName, config }: CniRequest): void {
  const type = (config.ipam as { type?: unknown } | null | undefined)?.type
  if (type === pluginName) return
  throw new CniError(
    cniErrorCode.invalidNetworkConfig,
    `network "${config.name}": "${pluginName}" was called and ipam.type is ${JSON.stringify(type ?? null)}`,
    { fix: `Write "ipam": {"type": "${pluginName}"} into the configuration of the plugin "${config.type}".` },
  )
}

async function check(management: AddressManagement, request: AddressRequest): Promise<void> {
  const result = resultFromVersion(request.config.prevResult ?? {}, request.config.cniVersion)
  const problems = await management.verify(request, result)
  if (problems.length === 0) return
  throw new CniError(cniErrorCode.internal, problems.map(({ what }) => what).join('; '))
}
