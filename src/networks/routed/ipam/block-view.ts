import type { Informer } from '../../../kube/api.ts'
import type { IPAMBlock } from '../resources.ts'
import { addressesOf, blockName, ownerOf } from './block.ts'
import { NameIndex } from './name-index.ts'

/**
 * All blocks as last seen: the informer's copy, or what this process has read or written since, whichever is newer. So
 * that the next write starts from the last one instead of losing a compare-and-swap against the watch's delay. Blocks
 * are found by holder and by owner without looking at all of them: a cluster has as many as it has nodes, and more.
 */
export class BlockView {
  readonly #blocks = new Map<string, IPAMBlock>()
  readonly #byHandle = new NameIndex()
  readonly #byOwner = new NameIndex()

  constructor(informer: Informer<IPAMBlock>) {
    informer.on((event) => {
      if (event.type === 'deleted') this.#remove(event.object)
      else this.#catchUp(event.object)
    })
  }

  find(cidr: string): IPAMBlock | undefined {
    const block = this.#blocks.get(blockName(cidr))
    return block?.spec.deleted === true ? undefined : block
  }

  list(): IPAMBlock[] {
    return [...this.#blocks.values()].filter(({ spec }) => spec.deleted !== true)
  }

  /** Blocks that have addresses of the handle. */
  holding(handleId: string): IPAMBlock[] {
    return this.#named(this.#byHandle.names(handleId))
  }

  /** Every address of the handle. */
  addressesOf(handleId: string): string[] {
    return this.holding(handleId).flatMap((block) => addressesOf(block, handleId))
  }

  /** Blocks of the node, by name. */
  ownedBy(nodeName: string): IPAMBlock[] {
    return this.#named(this.#byOwner.names(nodeName)).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  /** Takes note of what was read or written past the informer. */
  remember(block: IPAMBlock): void {
    if (isNewer(block, this.#blocks.get(block.metadata.name))) this.#set(block)
  }

  /** There is no such block any more. What the informer still has of it, it will find out. */
  forget(cidr: string): void {
    this.#set(undefined, blockName(cidr))
  }

  #catchUp(object: IPAMBlock): void {
    const seen = this.#blocks.get(object.metadata.name)
    if (seen === undefined || !isNewer(seen, object)) this.#set(object)
  }

  /** A block that was made anew since is another one. */
  #remove(object: IPAMBlock): void {
    const seen = this.#blocks.get(object.metadata.name)
    const isSame = seen?.metadata.uid !== undefined && seen.metadata.uid === object.metadata.uid
    if (seen !== undefined && (isSame || !isNewer(seen, object))) this.#set(undefined, object.metadata.name)
  }

  #set(block: IPAMBlock | undefined, name = block?.metadata.name ?? ''): void {
    if (block === undefined) this.#blocks.delete(name)
    else this.#blocks.set(name, block)
    const owner = block === undefined ? undefined : ownerOf(block)
    this.#byOwner.set(name, owner === undefined ? [] : [owner])
    this.#byHandle.set(name, block?.spec.attributes.flatMap(({ handle_id }) => handle_id ?? []) ?? [])
  }

  #named(names: Iterable<string>): IPAMBlock[] {
    return [...names].flatMap((name) => this.#blocks.get(name) ?? []).filter(({ spec }) => spec.deleted !== true)
  }
}

/** The API promises since 1.35, and has always done, that resourceVersions of one kind grow. */
function isNewer(block: IPAMBlock, other: IPAMBlock | undefined): boolean {
  return other === undefined || Number(block.metadata.resourceVersion) > Number(other.metadata.resourceVersion)
}
