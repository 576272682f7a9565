import { createHash } from 'node:crypto'
import { type Cidr, formatCidr } from '../../../base/ip.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../../kube/errors.ts'
import { type AffinityState, type BlockAffinity, blockAffinities, type IPAMBlock } from '../resources.ts'
import { blockName, isEmpty, newBlock, ownerOf } from './block.ts'
import { type BlockStore, mostRetries } from './block-store.ts'
import { IpamError } from './errors.ts'

/** `<node>-<cidr with dashes>`, cut with a hash when it is too long for a name. */
export function affinityName(nodeName: string, cidr: string): string {
  const name = `${nodeName}-${blockName(cidr)}`
  if (name.length < 253) return name
  return `${name.slice(0, 241)}${createHash('sha256').update(name).digest('hex').slice(0, 11)}`
}

/** Only such a claim counts for routing: advertising a block before it is ours sends its traffic into a hole. */
export function isConfirmed(affinity: BlockAffinity): boolean {
  return (affinity.spec.state === 'confirmed' || affinity.spec.state === '') && affinity.spec.deleted !== 'true'
}

export interface ClaimDeps {
  readonly kube: KubeClient
  readonly store: BlockStore
  readonly nodeName: string
  readonly now: () => number
}

/**
 * Makes the block this node's: a pending affinity, the block, then the affinity confirmed (as Calico does). Returns
 * undefined when it is another's. A claim that was cut short at any point is completed by claiming again.
 */
export async function claimBlock(deps: ClaimDeps, cidr: Cidr): Promise<IPAMBlock | undefined> {
  const text = formatCidr(cidr)
  const affinity = await ensurePending(deps, text)
  const block = await createOrRead(deps, cidr)
  if (block === undefined || ownerOf(block) !== deps.nodeName) {
    await deleteAffinity(deps.kube, affinity)
    return undefined
  }
  // Gone: another node has taken the block, empty as it is, before this one got to use it.
  const confirmed = await setState(deps.kube, affinity, 'confirmed')
  return confirmed === undefined ? undefined : block
}

/** Gives the block up: affinity pendingDeletion, then the block deleted or left without owner, then no affinity. */
export async function releaseBlock(
  deps: Pick<ClaimDeps, 'kube' | 'store'>,
  claim: { nodeName: string; cidr: string },
): Promise<void> {
  const affinity = await deps.kube.find(blockAffinities, affinityName(claim.nodeName, claim.cidr))
  const pending = affinity === undefined ? undefined : await setState(deps.kube, affinity, 'pendingDeletion')
  await disown(deps.store, claim)
  if (pending !== undefined) await deleteAffinity(deps.kube, pending)
}

/**
 * Gives up a block that was empty when it was read. When somebody has taken an address of it meanwhile, the claim is
 * confirmed again and the block stays. Tells whether it is gone.
 */
export async function releaseEmptyBlock(
  deps: Pick<ClaimDeps, 'kube' | 'store'>,
  { nodeName, block }: { nodeName: string; block: IPAMBlock },
): Promise<boolean> {
  const found = await deps.kube.find(blockAffinities, affinityName(nodeName, block.spec.cidr))
  const pending = found === undefined ? undefined : await setState(deps.kube, found, 'pendingDeletion')
  const isGone = await deps.store.delete(block)
  if (pending === undefined) return isGone
  if (isGone) await deleteAffinity(deps.kube, pending)
  else await setState(deps.kube, pending, 'confirmed')
  return isGone
}

async function disown(store: BlockStore, { nodeName, cidr }: { nodeName: string; cidr: string }): Promise<void> {
  const block = await store.read(cidr)
  if (block === undefined || ownerOf(block) !== nodeName) return
  if (isEmpty(block) && (await store.delete(block))) return
  const left = await store.update(cidr, (current) =>
    ownerOf(current) === nodeName ? { ...current, spec: withoutOwner(current.spec) } : undefined,
  )
  if (left !== undefined && isEmpty(left)) await store.delete(left)
}

function withoutOwner({ affinity: _, affinityClaimTime: __, ...spec }: IPAMBlock['spec']): IPAMBlock['spec'] {
  return spec
}

async function ensurePending({ kube, nodeName }: ClaimDeps, cidr: string): Promise<BlockAffinity> {
  const name = affinityName(nodeName, cidr)
  const spec = { state: 'pending', node: nodeName, cidr, type: 'host', deleted: 'false' } as const
  for (let attempt = 0; attempt < mostRetries; attempt++) {
    try {
      return await kube.create(blockAffinities, { metadata: { name }, spec })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    const found = await kube.find(blockAffinities, name)
    // A confirmed claim of ours stays confirmed, or its routes would be withdrawn for a moment.
    if (found !== undefined && isConfirmed(found)) return found
    const pending = found === undefined ? undefined : await setState(kube, found, 'pending')
    if (pending !== undefined) return pending
  }
  throw tooBusy(name)
}

async function createOrRead({ store, nodeName, now }: ClaimDeps, cidr: Cidr): Promise<IPAMBlock | undefined> {
  try {
    return await store.create(newBlock(cidr, { nodeName, now: now() }))
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return store.read(formatCidr(cidr))
  }
}

/** undefined: the affinity is gone. */
async function setState(
  kube: KubeClient,
  affinity: BlockAffinity,
  state: AffinityState,
): Promise<BlockAffinity | undefined> {
  let live: BlockAffinity | undefined = affinity
  for (let attempt = 0; attempt < mostRetries && live !== undefined; attempt++) {
    if (live.spec.state === state) return live
    try {
      return await kube.update(blockAffinities, { ...live, spec: { ...live.spec, state } })
    } catch (error) {
      if (isNotFound(error)) return undefined
      if (!isConflict(error)) throw error
      live = await kube.find(blockAffinities, affinity.metadata.name)
    }
  }
  if (live !== undefined) throw tooBusy(affinity.metadata.name)
  return undefined
}

function tooBusy(name: string): IpamError {
  return new IpamError(`affinity ${name}: Max retries hit - excessive concurrent IPAM requests`, { fix: 'try again' })
}

async function deleteAffinity(kube: KubeClient, { metadata }: BlockAffinity): Promise<void> {
  try {
    const preconditions = metadata.uid === undefined ? undefined : { uid: metadata.uid }
    await kube.delete(blockAffinities, metadata.name, { ignoreNotFound: true, preconditions })
  } catch (error) {
    // Another object of this name: not the one that we wanted gone.
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}
