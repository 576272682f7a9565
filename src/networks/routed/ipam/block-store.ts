import { type Clock, type Deferred, defer, systemClock } from '../../../base/clock.ts'
import { KeyedLock } from '../../../base/keyed-lock.ts'
import { backoffMs } from '../../../base/retry.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { isConflict, isNotFound } from '../../../kube/errors.ts'
import { type IPAMBlock, ipamBlocks } from '../resources.ts'
import { blockName } from './block.ts'
import type { BlockView } from './block-view.ts'
import { IpamError } from './errors.ts'

/** Lost compare-and-swaps before a write gives up. */
export const mostRetries = 100

/** A block as somebody wants it, or undefined to leave it. */
export type BlockChange = (block: IPAMBlock) => IPAMBlock | undefined

interface WaitingChange {
  readonly change: BlockChange
  readonly done: Deferred<IPAMBlock | undefined>
}

/** Writes blocks by compare-and-swap, starting from the resident view. */
export class BlockStore {
  readonly view: BlockView
  readonly #kube: KubeClient
  readonly #clock: Clock
  readonly #locks = new KeyedLock()
  /** Changes that the next write to a block takes along. */
  readonly #waiting = new Map<string, WaitingChange[]>()

  constructor(kube: KubeClient, view: BlockView, clock: Clock = systemClock) {
    this.#kube = kube
    this.view = view
    this.#clock = clock
  }

  /**
   * Writes what `change` makes of the block; undefined when there is no such block or `change` wants none of it.
   * `change` is asked again with the live block after every lost race. Changes that come while a write to the same
   * block is under way go into one write together.
   */
  async update(cidr: string, change: BlockChange): Promise<IPAMBlock | undefined> {
    const waiting = this.#waiting.get(cidr) ?? []
    const done = defer<IPAMBlock | undefined>()
    waiting.push({ change, done })
    this.#waiting.set(cidr, waiting)
    if (waiting.length === 1) void this.#locks.run(cidr, () => this.#updateWaiting(cidr))
    return await done.promise
  }

  async read(cidr: string): Promise<IPAMBlock | undefined> {
    const block = await this.#kube.find(ipamBlocks, blockName(cidr))
    if (block === undefined) this.view.forget(cidr)
    else this.view.remember(block)
    return block?.spec.deleted === true ? undefined : block
  }

  /** Throws KubeError AlreadyExists. */
  async create(block: IPAMBlock): Promise<IPAMBlock> {
    const created = await this.#kube.create(ipamBlocks, block)
    this.view.remember(created)
    return created
  }

  /** Deletes the block if it is still as given; a block that somebody has changed since stays. Tells whether it is gone. */
  async delete({ spec, metadata }: IPAMBlock): Promise<boolean> {
    const { uid, resourceVersion } = metadata
    try {
      await this.#kube.delete(ipamBlocks, metadata.name, {
        ignoreNotFound: true,
        preconditions: {
          ...(uid === undefined ? {} : { uid }),
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
        },
      })
    } catch (error) {
      if (isConflict(error)) return false
      throw error
    }
    this.view.forget(spec.cidr)
    return true
  }

  async #updateWaiting(cidr: string): Promise<void> {
    const changes = this.#waiting.get(cidr) ?? []
    this.#waiting.delete(cidr)
    try {
      const results = await this.#update(
        cidr,
        changes.map(({ change }) => change),
      )
      for (const [index, { done }] of changes.entries()) done.resolve(results[index])
    } catch (error) {
      for (const { done } of changes) done.reject(error)
    }
  }

  /** The written block for each change that was wanted. */
  async #update(cidr: string, changes: readonly BlockChange[]): Promise<(IPAMBlock | undefined)[]> {
    let block = this.view.find(cidr) ?? (await this.read(cidr))
    for (let attempt = 0; attempt < mostRetries; attempt++) {
      const { changed, isWanted } = applyChanges(block, changes)
      if (changed === undefined || !isWanted.includes(true)) return changes.map(() => undefined)
      try {
        const written = await this.#put(changed)
        return isWanted.map((wanted) => (wanted ? written : undefined))
      } catch (error) {
        if (isNotFound(error)) {
          this.view.forget(cidr)
          return changes.map(() => undefined)
        }
        if (!isConflict(error)) throw error
        await this.#clock.sleep(backoffMs(attempt, 2, 100))
        block = await this.read(cidr)
      }
    }
    throw new IpamError(`block ${cidr}: Max retries hit - excessive concurrent IPAM requests`, { fix: 'try again' })
  }

  async #put(block: IPAMBlock): Promise<IPAMBlock> {
    const written = await this.#kube.update(ipamBlocks, block, { trustsObject: true })
    this.view.remember(written)
    return written
  }
}

function applyChanges(
  block: IPAMBlock | undefined,
  changes: readonly BlockChange[],
): { changed: IPAMBlock | undefined; isWanted: boolean[] } {
  let changed = block
  const isWanted = changes.map((change) => {
    const next = changed === undefined ? undefined : change(changed)
    if (next !== undefined) changed = next
    return next !== undefined
  })
  return { changed, isWanted }
}
