import type { Calm } from '../../../base/calm.ts'
import type { Log } from '../../../base/log.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { addressesOf, allocationsOf } from './block.ts'
import type { BlockView } from './block-view.ts'
import { type Blocks, isEarlyHandle, syncHandle } from './handles.ts'

export interface HandleIndexOptions {
  readonly kube: KubeClient
  readonly view: BlockView
  readonly log: Log
  readonly calm: Calm
}

/** How long nobody must have attached or detached a pod before the index is written. */
const settleMs = 25

/**
 * Keeps the IPAMHandle objects of this node's pods in step with the blocks, beside ADD and DEL: a handle says nothing
 * that the blocks do not say, so nobody has to wait for it.
 */
export class HandleIndex {
  readonly #options: HandleIndexOptions
  readonly #queue: Workqueue
  readonly #new = new Set<string>()
  readonly #doubtful = new Map<string, Set<string>>()

  constructor(options: HandleIndexOptions) {
    this.#options = options
    const { log } = options
    this.#queue = new Workqueue({ name: 'ipam-handles', log, concurrency: 4, reconcile: (id) => this.#sync(id) })
  }

  /** What the handle holds has changed. `isNew`: there can be no object of this name yet. */
  note(handleId: string, { isNew = false }: { isNew?: boolean } = {}): void {
    if (isEarlyHandle(handleId)) return
    if (isNew) this.#new.add(handleId)
    this.#queue.add(handleId)
  }

  /** Every handle of a node's pods: what an earlier process may not have got to. */
  noteAll(nodeName: string): void {
    for (const { attributes } of this.#options.view.list().flatMap(allocationsOf)) {
      if (attributes.secondary?.node === nodeName && attributes.handle_id != null) this.note(attributes.handle_id)
    }
  }

  /** A write is under way that takes an address of the block for the handle; until it is certain how it ended. */
  doubt(handleId: string, cidr: string): { isCertain(): void } {
    const cidrs = this.#doubtful.get(handleId) ?? new Set()
    this.#doubtful.set(handleId, cidrs.add(cidr))
    return {
      isCertain: () => {
        cidrs.delete(cidr)
        if (cidrs.size === 0) this.#doubtful.delete(handleId)
      },
    }
  }

  /** Blocks that may have an address of the handle without our having seen it. */
  doubtful(handleId: string): readonly string[] {
    return [...(this.#doubtful.get(handleId) ?? [])]
  }

  settle(handleId: string): void {
    this.#doubtful.delete(handleId)
  }

  /** Resolves when every object is as it shall be. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }

  stop(): Promise<void> {
    return this.#queue.stop()
  }

  async #sync(handleId: string): Promise<void> {
    await this.#options.calm.wait({ settleMs })
    const isNew = this.#new.delete(handleId)
    await syncHandle(this.#options.kube, handleId, { blocks: this.#blocksOf(handleId), isNew })
  }

  #blocksOf(handleId: string): Blocks {
    const holding = this.#options.view.holding(handleId)
    return Object.fromEntries(holding.map((block) => [block.spec.cidr, addressesOf(block, handleId).length]))
  }
}
