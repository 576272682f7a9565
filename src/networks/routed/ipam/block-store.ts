import { type Clock, systemClock } from '../../../base/clock.ts'
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

/** Writes blocks by compare-and-swap, starting from the resident view. */
export class BlockStore {
  readonly view: BlockView
  readonly #kube: KubeClient
  readonly #clock: Clock
  readonly #locks = new KeyedLock()

  constructor(kube: KubeClient, view: BlockView, clock: Clock = systemClock) {
    this.#kube = kube
    this.view = view
    this.#clock = clock
  }

  /**
   * Writes what `change` makes of the block; undefined when there is no such block or `change` wants none of it.
   * `change` is asked again with the live block after every lost race. Writes of this process to one block queue up.
   */
  update(cidr: string, change: (block: IPAMBlock) => IPAMBlock | undefined): Promise<IPAMBlock | undefined> {
    return this.#locks.run(cidr, () => this.#update(cidr, change))
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

  async #update(cidr: string, change: (block: IPAMBlock) => IPAMBlock | undefined): Promise<IPAMBlock | undefined> {
    let block = this.view.find(cidr) ?? (await this.read(cidr))
    for (let attempt = 0; attempt < mostRetries; attempt++) {
      const changed = block === undefined ? undefined : change(block)
      if (changed === undefined) return undefined
      try {
        return await this.#put(changed)
      } catch (error) {
        if (isNotFound(error)) {
          this.view.forget(cidr)
          return undefined
        }
        if (!isConflict(error)) throw error
        await this.#clock.sleep(backoffMs(attempt, 2, 100))
        block = await this.read(cidr)
      }
    }
    throw new IpamError(`block ${cidr}: Max retries hit - excessive concurrent IPAM requests`, { fix: 'try again' })
  }

  async #put(block: IPAMBlock): Promise<IPAMBlock> {
    const written = await this.#kube.update(ipamBlocks, block)
    this.view.remember(written)
    return written
  }
}
