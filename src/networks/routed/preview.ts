import { bigintToAddress } from '../../base/ip.ts'
import { namespaces, nodes } from '../../kube/resources/core.ts'
import type { AttachmentPreview, PreviewFacts } from '../driver.ts'
import { planAddresses } from './address-plan.ts'
import { clusterPrefixes } from './cluster-prefixes.ts'
import type { RoutedConfig, RoutedSettings } from './config.ts'
import { poolCidr, poolOf, selectPools } from './ipam/pools.ts'
import { resultOf } from './node/wiring.ts'
import { podAddressing } from './pod-annotations.ts'
import { type IPPool, ipPools } from './resources.ts'
import { podMtuBytes } from './tunnels/encapsulation.ts'

/** What `attach` will make: the same choice of pools, the same wiring. Throws IpamError when there is no pool. */
export async function previewRouted(
  config: RoutedConfig,
  settings: RoutedSettings,
  facts: PreviewFacts,
): Promise<AttachmentPreview> {
  const { kube, pod, node, ifName, isDefault, requested } = facts
  const [pools, allNodes] = await Promise.all([kube.list(ipPools), kube.list(nodes)])
  const namespace = await kube.find(namespaces, pod.metadata.namespace ?? 'default')
  const annotations = { pod: pod.metadata.annotations ?? {}, namespace: namespace?.metadata.annotations ?? {} }
  const addressing = podAddressing(annotations, { ifName, features: config.feature_control })
  // What another plugin will give only its ADD can tell.
  const plan =
    config.ipamPlugin === undefined
      ? planAddresses({ config, settings }, requested, addressing)
      : { wishes: [], isOutsideIpam: true }
  const wishes = plan.wishes.map((wish) => ({
    ...wish,
    candidates: plan.isOutsideIpam
      ? []
      : selectPools(pools.items, {
          family: wish.family,
          nodeName: node.metadata.name ?? '',
          nodeLabels: node.metadata.labels ?? {},
          namespaceLabels: namespace?.metadata.labels,
          requested: wish.pools,
          address: wish.address,
        }),
  }))
  const mtuBytes = config.mtu || settings.mtuBytes || undefined
  const owner = { containerId: '', ifName }
  const mac = requested.mac?.toLowerCase() ?? addressing.mac
  const wiring = { owner, hostName: '', netns: '', mac: mac ?? '', mtuBytes: mtuBytes ?? 0, isDefault }
  return {
    result: resultOf({
      ...wiring,
      families: wishes.map(({ family }) => family),
      floating: [],
      addresses: wishes.map(({ address, candidates }) => address ?? exampleOf(candidates)),
    }),
    ranges: wishes.flatMap(({ address, candidates }) =>
      address === undefined ? candidates.map(({ spec }) => spec.cidr) : [],
    ),
    mac,
    mtuBytes,
    notes: [
      ...(mtuBytes === undefined ? [`the MTU of ${ifName} is ${usualMtu(pools.items)}`] : []),
      ...(plan.isOutsideIpam ? [] : wishes.flatMap(homeless)),
      ...(config.ipamPlugin === undefined
        ? []
        : [`${ifName}: its addresses are those of the plugin "${config.ipam.type}"`]),
    ],
    prefixes: clusterPrefixes(pools.items, allNodes.items),
  }
}

function homeless({ address, candidates }: { address?: string | undefined; candidates: readonly IPPool[] }): string[] {
  if (address === undefined || poolOf(candidates, address) !== undefined) return []
  return [`${address} is in no pool that may be used; the ADD will fail`]
}

function exampleOf([pool]: readonly IPPool[]): string {
  return pool === undefined ? '0.0.0.0' : bigintToAddress(poolCidr(pool).first + 1n, poolCidr(pool).family)
}

/** How much smaller than the node's interface, for which packets there must be room. */
function usualMtu(pools: readonly IPPool[]): string {
  const lessBytes = -podMtuBytes(0, pools)
  const nic = "that of the node's network interface"
  return lessBytes > 0 ? `${nic}, less ${lessBytes} bytes for encapsulation` : nic
}
