import { KeyedLock } from '../../../base/keyed-lock.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import type { NodeDeps, PodRef } from '../../driver.ts'
import { allocationsOf, renameHandle } from '../ipam/block.ts'
import type { BlockStore } from '../ipam/block-store.ts'
import type { HandleIndex } from '../ipam/handle-index.ts'
import { earlyHandleIdOf, isEarlyHandle, mayHaveEarlyHandle, settledHandleId } from '../ipam/handles.ts'
import { releaseOwn } from '../ipam/release.ts'
import { hostInterfaceName, type LinkOwner, parseAlias } from './names.ts'

export interface EarlyClaimsDeps {
  readonly node: Pick<NodeDeps, 'nodeName' | 'kernel' | 'calm' | 'log'>
  readonly store: BlockStore
  readonly handles: HandleIndex
}

/** Which interface of which pod. */
export interface EarlyKey {
  readonly pod: Pick<PodRef, 'uid'>
  readonly networkName: string
  readonly ifName: string
}

/** `closed`: an ADD has come, nothing is claimed ahead of it any more. */
type Claim =
  | { readonly state: 'open'; readonly addresses: readonly string[]; readonly wish: string }
  | { readonly state: 'taken'; readonly addresses: readonly string[]; readonly by: string }
  | { readonly state: 'closed' }

/** How long nobody must have attached or detached a pod before a claim gets its container's name. */
const settleMs = 25

/**
 * Addresses that are claimed when a pod is bound to this node, so that its ADD finds one instead of waiting for the API.
 * They are held by an early handle, which names the pod's UID; the ADD takes them over in memory, the host interface's
 * alias says so to a later process, and the block follows beside the answer.
 */
export class EarlyClaims {
  readonly #deps: EarlyClaimsDeps
  readonly #locks = new KeyedLock()
  readonly #queue: Workqueue
  /** By UID of the pod, then by early handle. */
  readonly #claims = new Map<string, Map<string, Claim>>()
  /** By the container's handle that took it. */
  readonly #taken = new Map<string, { readonly uid: string; readonly handleId: string }>()
  /** Of `#taken`, those whose interface is there. */
  readonly #attached = new Set<string>()

  constructor(deps: EarlyClaimsDeps) {
    this.#deps = deps
    const reconcile = (): Promise<void> => this.#renameAll()
    this.#queue = new Workqueue({ name: 'early-claims', log: deps.node.log, reconcile })
  }

  /**
   * Claims for a pod unless that was done before. `assign` is given the handle, and rejects without having taken
   * anything. `wish` says what was asked for: an ADD that asks for something else does not get it.
   */
  async claim(key: EarlyKey, wish: string, assign: (handleId: string) => Promise<string[]>): Promise<void> {
    if (!mayHaveEarlyHandle(key.pod.uid)) return
    const handleId = earlyHandleOf(key)
    await this.#locks.run(handleId, async () => {
      if (this.#find(key.pod.uid, handleId) !== undefined) return
      const addresses = await assign(handleId)
      this.#set(key.pod.uid, handleId, { state: 'open', addresses, wish })
    })
  }

  /** Whether there is an address that only has to be taken: neither none nor one that is still being claimed. */
  isReady({ pod, ...key }: EarlyKey): boolean {
    return this.#find(pod.uid, earlyHandleOf({ pod, ...key }))?.state === 'open'
  }

  /**
   * The addresses for the container's handle, if there are any of this wish that may still be used. None is claimed
   * after this.
   */
  async take(
    key: EarlyKey,
    { wish, by, mayUse }: { wish: string; by: string; mayUse: (address: string) => boolean },
  ): Promise<readonly string[] | undefined> {
    if (!mayHaveEarlyHandle(key.pod.uid)) return undefined
    const handleId = earlyHandleOf(key)
    return await this.#locks.run(handleId, async () => {
      const claim = this.#find(key.pod.uid, handleId)
      if (claim === undefined) this.#set(key.pod.uid, handleId, { state: 'closed' })
      if (claim?.state === 'taken' && claim.by === by) return claim.addresses
      if (claim?.state !== 'open' || claim.wish !== wish) return undefined
      if (!this.#isHeld(handleId, claim.addresses) || !claim.addresses.every(mayUse)) return undefined
      this.#take(key.pod.uid, handleId, { addresses: claim.addresses, by })
      return claim.addresses
    })
  }

  /** The interface of the container's handle is there: its addresses get its name, soon. */
  attached(by: string): void {
    if (!this.#taken.has(by)) return
    this.#attached.add(by)
    this.#queue.add('rename')
  }

  /** What a container's addresses stand under in the blocks: its own handle, and the early one that it has taken. */
  handlesOf(by: string): string[] {
    return [by, this.#takenBy(by) ?? []].flat()
  }

  /** The caller releases what `handlesOf` has said before. Waits for a change of the name that is under way. */
  async drop(by: string): Promise<void> {
    const handleId = this.#takenBy(by)
    if (handleId !== undefined) await this.#locks.run(handleId, async () => this.#forget(by))
  }

  /** The pod is attached or gone: what it has not taken is given back. */
  async settle({ uid }: Pick<PodRef, 'uid'>): Promise<void> {
    await Promise.all([...(this.#claims.get(uid)?.keys() ?? [])].map((handleId) => this.#settleOne(uid, handleId)))
  }

  /**
   * Early handles of an earlier process: where the pod has its interface, the claim was taken and gets its name; others
   * are given back. Before anything is claimed.
   */
  async resume(): Promise<void> {
    const { store, node } = this.#deps
    const early = store.view
      .list()
      .flatMap(allocationsOf)
      .filter(({ attributes: { handle_id, secondary } }) => {
        return secondary?.node === node.nodeName && handle_id != null && isEarlyHandle(handle_id)
      })
    if (early.length === 0) return
    const owners = await this.#ownersByAddress()
    for (const { address, attributes } of early) {
      const { namespace = '', pod = '' } = attributes.secondary ?? {}
      const handleId = attributes.handle_id ?? ''
      const found = owners.get(address)
      const isOfPod = found !== undefined && found.name === hostInterfaceName({ namespace, name: pod }, found.ifName)
      if (isOfPod) this.#takeUp(handleId, settledHandleId(handleId, found.containerId))
      else await releaseOwn(this.#deps, handleId)
    }
  }

  async stop(): Promise<void> {
    await this.#queue.stop()
  }

  /** Host ends of pods, by what is routed to them. */
  async #ownersByAddress(): Promise<Map<string, LinkOwner & { name: string }>> {
    const links = await this.#deps.node.kernel.links(undefined)
    const owners = links.flatMap(({ name, alias }) => {
      const owner = parseAlias(alias)
      return owner === undefined ? [] : [{ ...owner, name }]
    })
    return new Map(owners.flatMap((owner) => owner.addresses.map((address) => [address, owner] as const)))
  }

  #takeUp(handleId: string, by: string): void {
    this.#take('', handleId, { addresses: this.#deps.store.view.addressesOf(handleId), by })
    this.attached(by)
  }

  async #settleOne(uid: string, handleId: string): Promise<void> {
    await this.#locks.run(handleId, async () => {
      const claim = this.#find(uid, handleId)
      if (claim === undefined || claim.state === 'taken') return
      if (claim.state === 'open') await releaseOwn(this.#deps, handleId)
      this.#delete(uid, handleId)
    })
  }

  async #renameAll(): Promise<void> {
    await this.#deps.node.calm.wait({ settleMs })
    await Promise.all([...this.#attached].map((by) => this.#rename(by)))
  }

  async #rename(by: string): Promise<void> {
    const handleId = this.#takenBy(by)
    if (handleId === undefined) return
    await this.#locks.run(handleId, async () => {
      if (this.#takenBy(by) !== handleId) return
      await Promise.all(
        this.#deps.store.view.holding(handleId).map(({ spec }) => this.#renameIn(spec.cidr, { from: handleId, by })),
      )
      this.#forget(by)
      this.#deps.handles.note(by, { isNew: true })
    })
  }

  async #renameIn(cidr: string, { from, by }: { from: string; by: string }): Promise<void> {
    const { store, handles } = this.#deps
    // When this throws, the write may have been done all the same: a release then has to look.
    const lost = handles.doubt(by, cidr)
    await store.update(cidr, (block) => renameHandle(block, from, by))
    lost.isCertain()
  }

  #takenBy(by: string): string | undefined {
    return this.#taken.get(by)?.handleId
  }

  #isHeld(handleId: string, addresses: readonly string[]): boolean {
    const held = this.#deps.store.view.addressesOf(handleId)
    return addresses.every((address) => held.includes(address))
  }

  #take(uid: string, handleId: string, { addresses, by }: { addresses: readonly string[]; by: string }): void {
    this.#set(uid, handleId, { state: 'taken', addresses, by })
    this.#taken.set(by, { uid, handleId })
  }

  #forget(by: string): void {
    const taken = this.#taken.get(by)
    this.#taken.delete(by)
    this.#attached.delete(by)
    if (taken !== undefined) this.#delete(taken.uid, taken.handleId)
  }

  #find(uid: string, handleId: string): Claim | undefined {
    return this.#claims.get(uid)?.get(handleId)
  }

  #set(uid: string, handleId: string, claim: Claim): void {
    const ofPod = this.#claims.get(uid) ?? new Map<string, Claim>()
    this.#claims.set(uid, ofPod.set(handleId, claim))
  }

  #delete(uid: string, handleId: string): void {
    const ofPod = this.#claims.get(uid)
    ofPod?.delete(handleId)
    if (ofPod?.size === 0) this.#claims.delete(uid)
  }
}

function earlyHandleOf({ pod, networkName, ifName }: EarlyKey): string {
  return earlyHandleIdOf({ networkName, uid: pod.uid, ifName })
}
