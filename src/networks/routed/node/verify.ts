import { errorCode } from '../../../base/errors.ts'
import { familyOf, hostPrefixOf } from '../../../base/ip.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { AttachmentRef, Problem } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { isOutsideIpam } from './assign-addresses.ts'
import { handleOf } from './attach.ts'
import type { NodeContext } from './context.ts'
import { pluginProblems } from './ipam-delegate.ts'
import { hostInterfaceName, hostMac, isSameAttachment, parseAlias, podGateways } from './names.ts'

type Ref = AttachmentRef<RoutedConfig>

const fix = 'delete the pod so that it is made anew'

/**
 * CHECK: both ends of the veth pair, the address, the routes, and that the address is the pod's by IPAM. The pod's
 * default route is not looked at: it may be another network's.
 */
export async function verify(context: NodeContext, ref: Ref, result: CniResult): Promise<Problem[]> {
  const addresses = result.ips.flatMap(({ address }) => address.split('/')[0] ?? [])
  if (addresses.length === 0) return [{ what: 'the result has no address', fix }]
  const problems = await Promise.all([
    hostProblems(context, ref, addresses),
    podProblems(context, ref, { addresses, result }),
    ipamProblems(context, ref, { addresses, result }),
  ])
  return problems.flat().map((what) => ({ what, fix }))
}

async function hostProblems({ deps }: NodeContext, ref: Ref, addresses: readonly string[]): Promise<string[]> {
  const hostName = hostInterfaceName(ref.pod, ref.ifName)
  const link = await deps.kernel.findLink(undefined, hostName)
  if (link === undefined) return [`host interface ${hostName} is missing`]
  const owner = parseAlias(link.alias)
  const routes = await deps.kernel.routes(undefined, { device: hostName })
  const routed = new Set(routes.map(({ destination }) => destination))
  return [
    ...(owner !== undefined && isSameAttachment(owner, ref) ? [] : [`${hostName} belongs to another sandbox`]),
    ...(link.isUp ? [] : [`${hostName} is down`]),
    ...(link.mac === hostMac ? [] : [`${hostName} has the MAC address ${link.mac} instead of ${hostMac}`]),
    ...addresses
      .filter((address) => !routed.has(hostPrefixOf(address)))
      .map((address) => `no route to ${address} on the host`),
  ]
}

/** What comes with another MAC address than the ADD's is dropped on the host. */
async function podProblems(
  { deps }: NodeContext,
  ref: Ref,
  { addresses, result }: { addresses: readonly string[]; result: CniResult },
): Promise<string[]> {
  const { netns, ifName } = ref
  if (netns === undefined) return ['the pod has no network namespace']
  try {
    const link = await deps.kernel.findLink(netns, ifName)
    if (link === undefined) return [`${ifName} is missing in the pod`]
    const mac = result.interfaces.find(({ name, sandbox }) => name === ifName && sandbox !== undefined)?.mac
    const found = (await deps.kernel.addresses(netns, ifName)).map(({ address }) => address)
    const routes = await deps.kernel.routes(netns, { family: 4, device: ifName })
    const needsLink = addresses.some((address) => familyOf(address) === 4)
    const hasLink = routes.some(({ destination }) => destination === hostPrefixOf(podGateways[4]))
    return [
      ...(link.isUp ? [] : [`${ifName} is down in the pod`]),
      ...(mac === undefined || mac === link.mac ? [] : [`${ifName} has the MAC address ${link.mac} instead of ${mac}`]),
      ...addresses.filter((address) => !found.includes(address)).map((address) => `${ifName} does not have ${address}`),
      ...(needsLink && !hasLink ? [`no route to ${podGateways[4]} in the pod`] : []),
    ]
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    return [`the network namespace ${netns} is gone`]
  }
}

async function ipamProblems(
  context: NodeContext,
  ref: Ref,
  { addresses, result }: { addresses: readonly string[]; result: CniResult },
): Promise<string[]> {
  if (ref.config.ipamPlugin !== undefined) return await pluginProblems(context, ref, result)
  const handleId = handleOf(ref)
  const { early, store } = context
  const held = early.handlesOf(handleId).flatMap((each) => store.view.addressesOf(each))
  const missing = addresses.filter((address) => !held.includes(address))
  if (missing.length === 0 || (await isOutsideIpam(context, ref))) return []
  return missing.map((address) => `${address} is not allocated to ${handleId}`)
}
