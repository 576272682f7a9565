import { type Cidr, cidrOf, formatCidr } from '../../../base/ip.ts'
import { KeyedLock } from '../../../base/keyed-lock.ts'
import { type IPAMBlock, type IPAMConfiguration, type IPPool, ipamConfigurations } from '../resources.ts'
import { type ClaimDeps, claimBlock } from './affinity.ts'
import {
  type Assignment,
  addressesOf,
  assignAddress,
  assignNext,
  type Holder,
  hasFree,
  holderOf,
  ownerOf,
} from './block.ts'
import { blockCandidates } from './candidates.ts'
import { BlockLimitError, IpamError, notAssigned, PoolExhaustedError } from './errors.ts'
import type { HandleIndex } from './handle-index.ts'
import { blockSizeOf, poolOf } from './pools.ts'

/** Blocks that a node may own when IPAMConfiguration does not say. */
const defaultMostBlocks = 20

export interface AddressRequest {
  readonly holder: Holder
  /** Where the address may come from, in order: what selectPools gave. */
  readonly pools: readonly IPPool[]
  /** This address and no other. */
  readonly address?: string | undefined
}

export interface AssignerDeps extends ClaimDeps {
  readonly handles: Pick<HandleIndex, 'note' | 'doubt'>
}

/** Gives addresses of pools to holders on one node (as Calico does). Safe against other writers, here and elsewhere. */
export class Assigner {
  readonly #deps: AssignerDeps
  readonly #claims = new KeyedLock()

  constructor(deps: AssignerDeps) {
    this.#deps = deps
  }

  /** The address of the holder: what it holds already, else a free one. Throws IpamError with the reason. */
  async assign(request: AddressRequest, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted()
    const held = this.#held(request.holder.handleId)
    if (held !== undefined) return held
    if (request.address !== undefined) return this.#assignCertain(request, request.address)
    return (
      (await this.#fromOwnBlocks(request)) ??
      (await this.#fromNewBlock(request, signal)) ??
      (await this.#borrow(request, signal))
    )
  }

  #held(handleId: string): string | undefined {
    return this.#deps.store.view.list().flatMap((block) => addressesOf(block, handleId))[0]
  }

  async #fromOwnBlocks(request: AddressRequest): Promise<string | undefined> {
    for (const pool of request.pools) {
      for (const block of this.#ownBlocks().filter((own) => poolOf([pool], own.spec.cidr) !== undefined)) {
        const address = hasFree(block) ? await this.#take(block.spec.cidr, request.holder, this.#nextIfOwn) : undefined
        if (address !== undefined) return address
      }
    }
    return undefined
  }

  readonly #nextIfOwn = (block: IPAMBlock, holder: Holder): Assignment | undefined =>
    ownerOf(block) === this.#deps.nodeName ? assignNext(block, holder) : undefined

  /** One claim at a time: whoever waited looks first whether the claim before has made room. */
  #fromNewBlock(request: AddressRequest, signal: AbortSignal | undefined): Promise<string | undefined> {
    return this.#claims.run('claim', async () => {
      const waited = await this.#fromOwnBlocks(request)
      if (waited !== undefined) return waited
      const configuration = await this.#configuration()
      this.#checkBlockLimit(configuration)
      if (configuration?.spec.autoAllocateBlocks === false) return undefined
      for (const cidr of this.#unclaimed(request.pools)) {
        signal?.throwIfAborted()
        const block = await claimBlock(this.#deps, cidr)
        const address = block === undefined ? undefined : await this.#take(formatCidr(cidr), request.holder, assignNext)
        if (address !== undefined) return address
      }
      return undefined
    })
  }

  *#unclaimed(pools: readonly IPPool[]): Generator<Cidr> {
    for (const pool of pools) {
      for (const cidr of blockCandidates(pool, this.#deps.nodeName)) {
        if (this.#deps.store.view.find(formatCidr(cidr)) === undefined) yield cidr
      }
    }
  }

  /** At the limit Calico does not borrow either: the limit is there to keep a node's addresses together. */
  #checkBlockLimit(configuration: IPAMConfiguration | undefined): void {
    const most = configuration?.spec.maxBlocksPerHost || defaultMostBlocks
    const owned = this.#ownBlocks().length
    if (owned < most) return
    throw new BlockLimitError(
      notAssigned(`cannot allocate new block due to per host block limit (${owned} of ${most})`),
      { fix: 'raise maxBlocksPerHost of the IPAMConfiguration "default", or use a larger block size' },
    )
  }

  async #borrow(request: AddressRequest, signal: AbortSignal | undefined): Promise<string> {
    const prefixes = request.pools.map(({ spec }) => spec.cidr).join(', ')
    if ((await this.#configuration())?.spec.strictAffinity === true) {
      throw new PoolExhaustedError(
        notAssigned(`No more free affine blocks and strict affinity enabled in pools: [${prefixes}]`),
        { fix: 'add an IPPool, or turn strictAffinity of the IPAMConfiguration "default" off' },
      )
    }
    for (const block of this.#othersBlocks(request.pools)) {
      signal?.throwIfAborted()
      const address = await this.#take(block.spec.cidr, request.holder, assignNext)
      if (address !== undefined) return address
    }
    throw new PoolExhaustedError(notAssigned(`No IPs available in pools: [${prefixes}]`), {
      fix: 'add an IPPool, or delete pods that no longer need their address',
    })
  }

  async #assignCertain({ holder, pools }: AddressRequest, address: string): Promise<string> {
    const pool = poolOf(pools, address)
    if (pool === undefined) {
      throw new IpamError(notAssigned(`the address ${address} is in no pool that may be used`), {
        fix: 'ask for an address of an enabled IPPool',
      })
    }
    const cidr = cidrOf(address, blockSizeOf(pool))
    const text = formatCidr(cidr)
    if ((await this.#deps.store.read(text)) === undefined) await claimBlock(this.#deps, cidr)
    const taken = await this.#take(text, holder, (block) => assignAddress(block, address, holder))
    if (taken !== undefined) return taken
    const block = await this.#deps.store.read(text)
    const owner = block === undefined ? undefined : holderOf(block, address)
    throw new IpamError(notAssigned(`${address} is already assigned to ${owner?.handle_id ?? 'somebody else'}`), {
      fix: 'ask for another address, or delete the pod that has it',
    })
  }

  async #take(
    cidr: string,
    holder: Holder,
    choose: (block: IPAMBlock, holder: Holder) => Assignment | undefined,
  ): Promise<string | undefined> {
    let address: string | undefined
    // When this throws, the write may have been done all the same: a release then has to look.
    const lost = this.#deps.handles.doubt(holder.handleId, cidr)
    const written = await this.#deps.store.update(cidr, (block) => {
      const assignment = choose(block, holder)
      address = assignment?.address
      return assignment?.block
    })
    lost.isCertain()
    if (written === undefined) return undefined
    this.#deps.handles.note(holder.handleId, { isNew: true })
    return address
  }

  #ownBlocks(): IPAMBlock[] {
    return this.#deps.store.view
      .list()
      .filter((block) => ownerOf(block) === this.#deps.nodeName)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  /** Starts with the blocks that have most room, so that borrowers do not fill up a busy node's block. */
  #othersBlocks(pools: readonly IPPool[]): IPAMBlock[] {
    return this.#deps.store.view
      .list()
      .filter((block) => ownerOf(block) !== this.#deps.nodeName && poolOf(pools, block.spec.cidr) !== undefined)
      .filter(hasFree)
      .sort((a, b) => b.spec.unallocated.length - a.spec.unallocated.length)
  }

  #configuration(): Promise<IPAMConfiguration | undefined> {
    return this.#deps.kube.find(ipamConfigurations, 'default')
  }
}
