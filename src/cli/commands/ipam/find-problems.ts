import type { PodResource } from '../../../kube/resources/core.ts'
import { isLeaked, podAllocations } from '../../../networks/routed/cluster/find-leaks.ts'
import { isConfirmed } from '../../../networks/routed/ipam/affinity.ts'
import { allocationsOf, ownerOf } from '../../../networks/routed/ipam/block.ts'
import { isEarlyHandle } from '../../../networks/routed/ipam/handles.ts'
import { poolOf } from '../../../networks/routed/ipam/pools.ts'
import type { BlockAffinity, IPAMHandle } from '../../../networks/routed/resources.ts'
import type { IpamState } from './load.ts'

/** Something about addresses that does not fit together. */
export interface IpamProblem {
  readonly kind:
    | 'leaked address'
    | 'address not allocated'
    | 'address in no pool'
    | 'leaked handle'
    | 'missing handle'
    | 'incomplete claim'
  readonly subject: string
  readonly detail: string
}

/** What `ipam check` finds: blocks, pools, handles and pods compared with one another. */
export function findIpamProblems(
  state: IpamState,
  facts: { pods: readonly PodResource[]; handles: readonly IPAMHandle[]; claims: readonly BlockAffinity[] },
): IpamProblem[] {
  return [
    ...leakedAddresses(state, facts.pods),
    ...unallocatedAddresses(state, facts.pods),
    ...strayAddresses(state),
    ...handleProblems(state, facts.handles),
    ...claimProblems(state, facts.claims),
  ]
}

function leakedAddresses({ blocks }: IpamState, pods: readonly PodResource[]): IpamProblem[] {
  const byName = new Map(pods.map((pod) => [`${pod.metadata.namespace}/${pod.metadata.name}`, pod]))
  return podAllocations(blocks)
    .filter((allocation) => isLeaked(allocation, byName.get(`${allocation.namespace}/${allocation.pod}`)))
    .map(({ address, namespace, pod, node }) => ({
      kind: 'leaked address',
      subject: address,
      detail: `is allocated to ${namespace}/${pod} on ${node}, which does not have it`,
    }))
}

/** Pods on the node's own network have addresses that IPAM does not know. */
function unallocatedAddresses({ pools, blocks }: IpamState, pods: readonly PodResource[]): IpamProblem[] {
  const allocated = new Set(blocks.flatMap(allocationsOf).map(({ address }) => address))
  return pods.filter(isRunning).flatMap((pod): IpamProblem[] =>
    (pod.status?.podIPs ?? [])
      .flatMap(({ ip }) => ip ?? [])
      .filter((ip) => poolOf(pools, ip) !== undefined && !allocated.has(ip))
      .map((ip) => ({
        kind: 'address not allocated',
        subject: ip,
        detail: `is used by pod ${pod.metadata.namespace}/${pod.metadata.name}, but IPAM does not know of it`,
      })),
  )
}

function isRunning(pod: PodResource): boolean {
  return pod.spec?.hostNetwork !== true && pod.status?.phase === 'Running'
}

function strayAddresses({ pools, blocks }: IpamState): IpamProblem[] {
  return blocks
    .filter(({ spec }) => poolOf(pools, spec.cidr) === undefined)
    .flatMap(allocationsOf)
    .map(({ address }) => ({
      kind: 'address in no pool',
      subject: address,
      detail: 'is allocated, but no IPPool has it any more',
    }))
}

function handleProblems({ blocks }: IpamState, handles: readonly IPAMHandle[]): IpamProblem[] {
  const held = new Set(blocks.flatMap(allocationsOf).flatMap(({ attributes }) => attributes.handle_id ?? []))
  const known = new Set(handles.map(({ spec }) => spec.handleID))
  const leaked = handles
    .filter(({ spec }) => !held.has(spec.handleID))
    .map(({ spec }): IpamProblem => ({ kind: 'leaked handle', subject: spec.handleID, detail: 'holds no address' }))
  const missing = [...held]
    .filter((handle) => !known.has(handle) && !isEarlyHandle(handle))
    .map(
      (handle): IpamProblem => ({
        kind: 'missing handle',
        subject: handle,
        detail: 'holds addresses, but is no object',
      }),
    )
  return [...leaked, ...missing]
}

/** Only a confirmed claim is routed, and the block says whose it is: pods of a block without one are out of reach. */
function claimProblems({ blocks }: IpamState, claims: readonly BlockAffinity[]): IpamProblem[] {
  const owners = new Map(blocks.map((block) => [block.spec.cidr, ownerOf(block)]))
  const claimed = new Set(claims.filter(isConfirmed).map(({ spec }) => `${spec.node} ${spec.cidr}`))
  const unfounded = claims.flatMap((claim): IpamProblem[] => {
    const { node, cidr, state } = claim.spec
    const owner = owners.get(cidr)
    if (isConfirmed(claim) && owner === node) return []
    const detail = `is claimed by ${node} (${state || 'confirmed'}); the block is ${owner === undefined ? "nobody's" : `${owner}'s`}`
    return [{ kind: 'incomplete claim', subject: cidr, detail }]
  })
  const unclaimed = [...owners].flatMap(([cidr, owner]): IpamProblem[] => {
    if (owner === undefined || claimed.has(`${owner} ${cidr}`)) return []
    if (claims.some(({ spec }) => spec.cidr === cidr && spec.node === owner)) return []
    return [{ kind: 'incomplete claim', subject: cidr, detail: `is ${owner}'s, which has no claim of it` }]
  })
  return [...unfounded, ...unclaimed]
}
