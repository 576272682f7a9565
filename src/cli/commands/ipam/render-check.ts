import type { PodResource } from '../../../kube/resources/core.ts'
import { allocationsOf, type BlockAllocation } from '../../../networks/routed/ipam/block.ts'
import { poolOf } from '../../../networks/routed/ipam/pools.ts'
import type { IPAMBlock } from '../../../networks/routed/resources.ts'
import type { IpamProblem } from './find-problems.ts'
import type { IpamState } from './load.ts'
import { byCidr } from './usage.ts'

/** How many of the nodes that have most addresses are named. */
const mostNodes = 20

const kinds: readonly [IpamProblem['kind'], string][] = [
  ['leaked address', 'IPs that are allocated in IPAM but not actually in use'],
  ['address not allocated', 'in-use IPs that are not allocated in IPAM'],
  ['address in no pool', 'IPs that are in no pool'],
  ['leaked handle', 'handles that hold nothing'],
  ['missing handle', 'handles that are no objects'],
  ['incomplete claim', 'claims of blocks that are not whole'],
]

/** What `ipam check` says, in the order in which calicoctl does. */
export function renderCheck(
  { pools, blocks }: IpamState,
  { problems, pods }: { problems: readonly IpamProblem[]; pods: readonly PodResource[] },
  flags: { showAllIps?: boolean; showProblemIps?: boolean },
): string {
  const allocations = blocks.flatMap(allocationsOf)
  const sorted = [...blocks].sort((a, b) => byCidr(a.spec.cidr, b.spec.cidr))
  const inUse = pods.flatMap(({ status }) => status?.podIPs ?? []).filter(({ ip }) => ip && poolOf(pools, ip))
  return [
    'Loading all IPAM blocks...',
    `Found ${blocks.length} IPAM blocks.`,
    ...sorted.flatMap((block) => renderBlock(block, flags.showAllIps === true)),
    `IPAM blocks record ${allocations.length} allocations.`,
    '\nLoading all IPAM pools...',
    ...pools.map(({ spec }) => `  ${spec.cidr}`),
    `Found ${pools.filter(({ spec }) => spec.disabled !== true).length} active IP pools.`,
    `\nFound ${inUse.length} IPs of workloads in pools.`,
    ...renderNodes(allocations),
    '',
    ...kinds.flatMap(([kind, text]) => {
      const found = problems.filter((problem) => problem.kind === kind)
      const lines = flags.showProblemIps === true ? found.map(({ subject, detail }) => `  ${subject} ${detail}`) : []
      return [`Found ${found.length} ${text}.`, ...lines]
    }),
    `\nCheck complete; found ${problems.length} problems.`,
  ].join('\n')
}

function renderBlock(block: IPAMBlock, withAddresses: boolean): string[] {
  const heading = ` IPAM block ${block.spec.cidr} affinity=${block.spec.affinity ?? '<none>'}`
  if (!withAddresses) return [heading]
  const lines = allocationsOf(block).map(({ address, attributes }) => {
    const { namespace, pod, node } = attributes.secondary ?? {}
    const owner = pod === undefined ? '' : ` ${namespace}/${pod}`
    return `  ${address} ${attributes.handle_id ?? '<no handle>'}${owner}${node === undefined ? '' : ` on ${node}`}`
  })
  return [`${heading}:`, ...lines]
}

function renderNodes(allocations: readonly BlockAllocation[]): string[] {
  const counts = new Map<string, number>()
  for (const { attributes } of allocations) {
    const node = attributes.secondary?.node
    if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  const most = [...counts].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
  if (most.length === 0) return []
  const median = most[Math.floor(most.length / 2)]?.[1] ?? 0
  return [
    `\nNodes with most allocations (up to ${mostNodes}):`,
    ...most.slice(0, mostNodes).map(([node, count]) => `  ${node} has ${count} allocations`),
    `The node with most allocations has ${most[0]?.[1]}; the median is ${median}.`,
  ]
}
