import { errorCode } from '../../../base/errors.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { AttachmentRef, Problem } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { addressesOf } from '../ipam/block.ts'
import { handleOf } from './attach.ts'
import type { NodeContext } from './context.ts'
import { hostInterfaceName, hostMac, isSameAttachment, parseAlias, podGateway } from './names.ts'

type Ref = AttachmentRef<RoutedConfig>

const fix = 'delete the pod so that it is made anew'

/**
 * CHECK: both ends of the veth pair, the address, the routes, and that the address is the pod's by IPAM. The pod's
 * default route is not looked at: it may be another network's.
 */
export async function verify(context: NodeContext, ref: Ref, result: CniResult): Promise<Problem[]> {
  const address = result.ips[0]?.address.split('/')[0]
  if (address === undefined) return [{ what: 'the result has no address', fix }]
  const problems = await Promise.all([
    hostProblems(context, ref, address),
    podProblems(context, ref, address),
    ipamProblems(context, ref, address),
  ])
  return problems.flat().map((what) => ({ what, fix }))
}

async function hostProblems({ deps }: NodeContext, ref: Ref, address: string): Promise<string[]> {
  const hostName = hostInterfaceName(ref.pod, ref.ifName)
  const link = await deps.kernel.findLink(undefined, hostName)
  if (link === undefined) return [`host interface ${hostName} is missing`]
  const owner = parseAlias(link.alias)
  const routes = await deps.kernel.routes(undefined, { family: 4, device: hostName })
  return [
    ...(owner !== undefined && isSameAttachment(owner, ref) ? [] : [`${hostName} belongs to another sandbox`]),
    ...(link.isUp ? [] : [`${hostName} is down`]),
    ...(link.mac === hostMac ? [] : [`${hostName} has the MAC address ${link.mac} instead of ${hostMac}`]),
    ...(routes.some(({ destination }) => destination === `${address}/32`)
      ? []
      : [`no route to ${address} on the host`]),
  ]
}

async function podProblems({ deps }: NodeContext, ref: Ref, address: string): Promise<string[]> {
  const { netns, ifName } = ref
  if (netns === undefined) return ['the pod has no network namespace']
  try {
    const link = await deps.kernel.findLink(netns, ifName)
    if (link === undefined) return [`${ifName} is missing in the pod`]
    const addresses = await deps.kernel.addresses(netns, ifName)
    const routes = await deps.kernel.routes(netns, { family: 4, device: ifName })
    return [
      ...(link.isUp ? [] : [`${ifName} is down in the pod`]),
      ...(addresses.some((found) => found.address === address) ? [] : [`${ifName} does not have ${address}`]),
      ...(routes.some(({ destination }) => destination === `${podGateway}/32`)
        ? []
        : [`no route to ${podGateway} in the pod`]),
    ]
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    return [`the network namespace ${netns} is gone`]
  }
}

async function ipamProblems({ store }: NodeContext, ref: Ref, address: string): Promise<string[]> {
  const handleId = handleOf(ref)
  const isHeld = store.view.list().some((block) => addressesOf(block, handleId).includes(address))
  return isHeld ? [] : [`${address} is not allocated to ${handleId}`]
}
