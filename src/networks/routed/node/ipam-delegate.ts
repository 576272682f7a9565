import { ConfigError, describeError } from '../../../base/errors.ts'
import { familyOf, parseCidr } from '../../../base/ip.ts'
import { CniError, cniErrorCode } from '../../../cni/errors.ts'
import { addChain, type ChainRequest, checkChain, deleteChain } from '../../../cni/exec.ts'
import type { NetworkConfig, NetworkConfigList } from '../../../cni/request.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { AttachmentRef, AttachRequest } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import type { Decided } from './assign-addresses.ts'
import type { NodeContext } from './context.ts'

type Ref = AttachmentRef<RoutedConfig>

/** Longest time for giving addresses back: a DEL has no signal of its own here. */
const releaseTimeoutMs = 60_000

/**
 * What is planned; with the addresses that another plugin for address management gives, e.g. host-local, where the
 * configuration names one: one of each family, taken as they are. Its routes and gateways mean nothing on a routed
 * interface. Throws CniError and ConfigError.
 */
export async function decideByPlugin(
  context: NodeContext,
  request: AttachRequest<RoutedConfig>,
  { planned, signal }: { planned: Decided; signal: AbortSignal },
): Promise<Decided> {
  const { config, requested } = request
  if (config.ipamPlugin === undefined || planned.plan.isOutsideIpam) return planned
  if (requested.ips === undefined && planned.plan.wishes.some(({ address }) => address !== undefined)) {
    throw new ConfigError(
      'annotation cni.projectcalico.org/ipAddrs',
      `does not work with ipam.type ${config.ipam.type}`,
    )
  }
  const { ips } = await addChain(withIps(chainRequest(context, request, { signal }), requested.ips))
  const addresses = ips.map(({ address }) => address.replace(/\/.*/, ''))
  const first = ([4, 6] as const).flatMap((family) => addresses.find((each) => familyOf(each) === family) ?? [])
  if (first.length === 0) {
    throw new CniError(cniErrorCode.internal, `plugin "${request.config.ipam.type}" gave no address`)
  }
  const wishes = first.map((address) => ({ family: familyOf(address), address, pools: [] }))
  return { ...planned, plan: { wishes, isOutsideIpam: true } }
}

function withIps(request: ChainRequest, ips: readonly string[] | undefined): ChainRequest {
  if (ips === undefined) return request
  const { list } = request
  const plugins = list.plugins.map((plugin) => ({ ...plugin, runtimeConfig: { ...plugin.runtimeConfig, ips } }))
  return { ...request, list: { ...list, plugins } }
}

/** DEL of the plugin for address management. Throws CniError. */
export async function giveBackToPlugin(context: NodeContext, ref: Ref): Promise<void> {
  await deleteChain(chainRequest(context, ref, { signal: AbortSignal.timeout(releaseTimeoutMs) }))
}

/** CHECK of the plugin for address management. */
export async function pluginProblems(context: NodeContext, ref: Ref, result: CniResult): Promise<string[]> {
  try {
    await checkChain(chainRequest(context, ref, { prevResult: result }))
    return []
  } catch (error) {
    return [describeError(error)]
  }
}

function chainRequest(
  { deps }: NodeContext,
  ref: Ref,
  more: Pick<ChainRequest, 'prevResult' | 'signal'>,
): ChainRequest {
  const { config, containerId, netns, ifName, args, binFolder } = ref
  const { cniBinFolders, cniSocket } = deps.paths
  const { podCIDR, podCIDRs = podCIDR === undefined ? [] : [podCIDR] } = deps.nodes.get(deps.nodeName)?.spec ?? {}
  return {
    list: withPodCidrs(config.ipamPlugin, podCIDRs),
    executable: config.ipam.type,
    folders: binFolder === undefined ? cniBinFolders : [binFolder, ...cniBinFolders],
    env: cniSocket === undefined ? {} : { TWINLANE_SOCKET: cniSocket },
    log: deps.log,
    ...{ containerId, netns, ifName, args },
    ...more,
  }
}

const placeholders = { usePodCidr: 4, usePodCidrIPv6: 6 } as const

/** `usePodCidr` and `usePodCidrIPv6` stand for what Kubernetes has given the node (as Calico does for host-local). */
function withPodCidrs(list: NetworkConfigList | undefined, podCidrs: readonly string[]): NetworkConfigList {
  if (list === undefined) throw new Error('there is no plugin for address management')
  const replace = (key: string, value: unknown): unknown => {
    if (key !== 'subnet' || typeof value !== 'string' || !Object.hasOwn(placeholders, value)) return value
    const family = placeholders[value as keyof typeof placeholders]
    const found = podCidrs.find((cidr) => parseCidr(cidr).family === family)
    if (found !== undefined) return found
    throw new ConfigError('plugins[0].ipam.subnet', `is ${value}, and the Node has no podCIDR of IPv${family}`, {
      fix: 'write the subnet itself, or let the controller manager allocate node CIDRs',
    })
  }
  return {
    ...list,
    plugins: list.plugins.map((plugin): NetworkConfig => ({ ...plugin, ...replaceIn(plugin, replace) })),
  }
}

function replaceIn({ ipam }: NetworkConfig, replace: (key: string, value: unknown) => unknown): { ipam: unknown } {
  return { ipam: JSON.parse(JSON.stringify(ipam ?? {}, replace)) }
}
