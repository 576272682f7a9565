import { bigintToAddress } from '../../base/ip.ts'
import { namespaces, nodes } from '../../kube/resources/core.ts'
import type { AttachmentPreview, PreviewFacts } from '../driver.ts'
import { clusterPrefixes } from './cluster-prefixes.ts'
import type { RoutedConfig, RoutedSettings } from './config.ts'
import { poolCidr, poolOf, selectPools } from './ipam/pools.ts'
import { resultOf } from './node/wiring.ts'
import { podAddressing } from './pod-annotations.ts'
import { type IPPool, ipPools } from './resources.ts'

/** What `attach` will make: the same choice of pools, the same wiring. Throws IpamError when there is no pool. */
export async function previewRouted(
  config: RoutedConfig,
  settings: RoutedSettings,
  facts: PreviewFacts,
): Promise<AttachmentPreview> {
  const { kube, pod, node, ifName, isDefault, requested } = facts
  const [pools, allNodes] = await Promise.all([kube.list(ipPools), kube.list(nodes)])
  const addressing = podAddressing(pod.metadata.annotations ?? {}, ifName)
  const wanted = (requested.ips ?? addressing.addresses)?.[0]?.split('/')[0]
  const candidates = selectPools(pools.items, {
    nodeName: node.metadata.name ?? '',
    nodeLabels: node.metadata.labels ?? {},
    namespaceLabels: await namespaceLabels(pools.items, facts),
    requested: wanted === undefined ? (addressing.pools ?? config.ipam.ipv4_pools) : [],
  })
  const home = wanted === undefined ? candidates : [poolOf(candidates, wanted)].filter((pool) => pool !== undefined)
  const mtuBytes = config.mtu || settings.mtuBytes || undefined
  const owner = { containerId: '', ifName }
  const address = wanted ?? exampleOf(candidates)
  const mac = requested.mac?.toLowerCase()
  const wiring = { owner, hostName: '', netns: '', mac: mac ?? '', mtuBytes: mtuBytes ?? 0, isDefault, address }
  return {
    result: resultOf(wiring),
    ranges: wanted === undefined ? candidates.map(({ spec }) => spec.cidr) : [],
    mac,
    mtuBytes,
    notes: [
      ...(mtuBytes === undefined ? [`the MTU of ${ifName} is that of the node's network interface`] : []),
      ...(home.length === 0 ? [`${wanted} is in no pool that may be used; the ADD will fail`] : []),
    ],
    prefixes: clusterPrefixes(pools.items, allNodes.items),
  }
}

async function namespaceLabels(
  pools: readonly IPPool[],
  { kube, pod }: PreviewFacts,
): Promise<Record<string, string> | undefined> {
  if (!pools.some(({ spec }) => spec.namespaceSelector !== undefined)) return undefined
  return (await kube.find(namespaces, pod.metadata.namespace ?? 'default'))?.metadata.labels
}

function exampleOf([pool]: readonly IPPool[]): string {
  return pool === undefined ? '0.0.0.0' : bigintToAddress(poolCidr(pool).first + 1n, poolCidr(pool).family)
}
