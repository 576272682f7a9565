import { hostPrefixOf } from '../../base/ip.ts'
import type { NodeResource } from '../../kube/resources/core.ts'
import type { ClusterPrefixes } from '../driver.ts'
import type { IPPool } from './resources.ts'

/** What pods reach over the routed network: all pools, and every node at its InternalIP. */
export function clusterPrefixes(pools: readonly IPPool[], nodes: readonly NodeResource[]): Partial<ClusterPrefixes> {
  const internal = nodes.flatMap((node) => node.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP')
  return {
    pods: pools.map(({ spec }) => spec.cidr),
    nodes: internal.map(({ address }) => hostPrefixOf(address)),
  }
}
