import type { Informer } from '../../../kube/api.ts'
import type { IPAMBlock } from '../resources.ts'
import { blockName } from './block.ts'

/**
 * All blocks as last seen: the informer's copy, or what this process has read or written since, whichever is newer. So
 * that the next write starts from the last one instead of losing a compare-and-swap against the watch's delay.
 */
export class BlockView {
  readonly #informer: Informer<IPAMBlock>
  readonly #seen = new Map<string, IPAMBlock>()

  constructor(informer: Informer<IPAMBlock>) {
    this.#informer = informer
    informer.on(({ object }) => this.#catchUp(object))
  }

  find(cidr: string): IPAMBlock | undefined {
    const name = blockName(cidr)
    const block = this.#seen.get(name) ?? this.#informer.get(name)
    return block?.spec.deleted === true ? undefined : block
  }

  list(): IPAMBlock[] {
    const known = this.#informer.list().filter(({ metadata }) => !this.#seen.has(metadata.name))
    return [...known, ...this.#seen.values()].filter(({ spec }) => spec.deleted !== true)
  }

  /** Takes note of what was read or written past the informer. */
  remember(block: IPAMBlock): void {
    if (isNewer(block, this.find(block.spec.cidr))) this.#seen.set(block.metadata.name, block)
  }

  forget(cidr: string): void {
    this.#seen.delete(blockName(cidr))
  }

  /** The informer has come as far as what we saw, or further. */
  #catchUp(object: IPAMBlock): void {
    const seen = this.#seen.get(object.metadata.name)
    if (seen !== undefined && !isNewer(seen, object)) this.#seen.delete(object.metadata.name)
  }
}

/** The API promises since 1.35, and has always done, that resourceVersions of one kind grow. */
function isNewer(block: IPAMBlock, other: IPAMBlock | undefined): boolean {
  return other === undefined || Number(block.metadata.resourceVersion) > Number(other.metadata.resourceVersion)
}
