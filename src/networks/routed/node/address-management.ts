import { UndoStack } from '../../../base/undo.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { AddressManagement, AddressRequest, AttachRequest, Problem } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { handleIdOf } from '../ipam/handles.ts'
import { usablePools } from '../ipam/pools.ts'
import { avoidedPrefixes, type IpamPluginConfig, ipamResult, parseIpamPlugin } from '../ipam-plugin.ts'
import { assignAddresses, decide } from './assign-addresses.ts'
import type { NodeContext } from './context.ts'
import { giveBack } from './detach.ts'

/** Addresses of the pools for the attachments of other plugins. */
export function addressManagement(context: NodeContext): AddressManagement {
  return {
    allocate: (request, signal) => allocate(context, request, signal),
    release: async (request) => {
      const handleId = handleOf(request)
      await context.locks.run(handleId, () => giveBack(context, handleId))
    },
    verify: async (request, result) => verify(context, request, result),
  }
}

/**
 * Runs apart from the DEL of the same attachment: a plugin that was killed has left its request here, and the DEL that
 * follows must find what it took.
 */
async function allocate(context: NodeContext, request: AddressRequest, signal: AbortSignal): Promise<CniResult> {
  const ipam = parseIpamPlugin(request)
  const handleId = handleOf(request)
  context.attaching.add(handleId)
  try {
    return await context.locks.run(handleId, () => allocateAlone(context, { request, ipam, handleId }, signal))
  } finally {
    context.attaching.delete(handleId)
  }
}

async function allocateAlone(
  context: NodeContext,
  { request, ipam, handleId }: { request: AddressRequest; ipam: IpamPluginConfig; handleId: string },
  signal: AbortSignal,
): Promise<CniResult> {
  const pools = ([4, 6] as const).flatMap((family) => usablePools(context.pools.list(), family))
  const attachment = attachmentOf(request, ipam)
  const decided = await decide(context, attachment)
  const undo = new UndoStack()
  undo.push('the addresses', () => giveBack(context, handleId))
  try {
    const avoid = avoidedPrefixes(pools, ipam.gateway)
    const addresses = await assignAddresses(context, attachment, { ...decided, handleId, avoid, signal })
    return ipamResult(addresses, ipam, pools)
  } catch (error) {
    throw await undo.unwind(error)
  }
}

function attachmentOf(
  { containerId, ifName, pod }: AddressRequest,
  { routed, ips }: IpamPluginConfig,
): Pick<AttachRequest<RoutedConfig>, 'config' | 'containerId' | 'ifName' | 'pod' | 'requested'> {
  return { containerId, ifName, pod, config: routed, requested: ips === undefined ? {} : { ips } }
}

function handleOf({ config, containerId, ifName }: AddressRequest): string {
  return handleIdOf({ networkName: config.name, containerId, ifName })
}

function verify({ store }: NodeContext, request: AddressRequest, result: CniResult): Problem[] {
  const handleId = handleOf(request)
  const held = store.view.addressesOf(handleId)
  const told = result.ips.map(({ address }) => address.replace(/\/.*/, ''))
  if (held.some((address) => told.includes(address))) return []
  return [{ what: `none of ${told.join(', ') || 'no addresses'} is allocated to ${handleId}` }]
}
