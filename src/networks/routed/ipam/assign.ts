import { type Cidr, cidrCovers, cidrsOverlap, type Family, familyOf, formatCidr, parseCidr } from '../../../base/ip.ts'
import { KeyedLock } from '../../../base/keyed-lock.ts'
import { type IPAMBlock, type IPAMConfiguration, type IPPool, ipamConfigurations } from '../resources.ts'
import { type ClaimDeps, claimBlock } from './affinity.ts'
import { assignCertain } from './assign-certain.ts'
import { type Assignment, assignNext, type Holder, hasFree, ownerOf } from './block.ts'
import { blockCandidates } from './candidates.ts'
import { BlockLimitError, notAssigned, PoolExhaustedError } from './errors.ts'
import type { HandleIndex } from './handle-index.ts'
import { blocksOfOtherSize, poolOf } from './pools.ts'
import { idleBlocksOfOthers, takeFromOwner } from './reclaim.ts'

/** Blocks that a node may own when IPAMConfiguration does not say. */
const defaultMostBlocks = 20

export interface AddressRequest {
  readonly holder: Holder
  readonly family: Family
  /** Where the address may come from, in order: what selectPools gave. */
  readonly pools: readonly IPPool[]
  /** This address and no other. */
  readonly address?: string | undefined
  /** Prefixes of which no address is given unless it is asked for. @default none */
  readonly avoid?: readonly Cidr[] | undefined
  /** Whether a holder is an older container of the same pod interface: an address that was asked for is taken over. */
  isPredecessor?(holder: { handleId: string; secondary: Readonly<Record<string, string>> }): boolean
}

export interface AssignerDeps extends ClaimDeps {
  readonly handles: Pick<HandleIndex, 'note' | 'doubt'>
  /** Prefixes of which no address is given to whoever asks for any. @default none */
  reserved?(): readonly Cidr[]
}

/** A request and its end. */
interface Attempt extends AddressRequest {
  readonly signal: AbortSignal | undefined
}

type Choose = (block: IPAMBlock, holder: Holder) => Assignment | undefined

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
    const held = this.#held(request)
    if (held !== undefined) return held
    const { address } = request
    const attempt = { ...request, signal }
    if (address !== undefined) {
      const take = (cidr: string, holder: Holder, choose: Choose) => this.#take(cidr, { holder, signal }, choose)
      return assignCertain({ ...this.#deps, take }, { ...request, address })
    }
    return (await this.#fromOwnBlocks(attempt)) ?? (await this.#fromNewBlock(attempt)) ?? (await this.#borrow(attempt))
  }

  #held({ holder, family }: AddressRequest): string | undefined {
    return this.#deps.store.view.addressesOf(holder.handleId).find((address) => familyOf(address) === family)
  }

  async #fromOwnBlocks(request: Attempt): Promise<string | undefined> {
    for (const pool of request.pools) {
      for (const block of this.#ownBlocks([pool])) {
        const isWorthATry = hasFree(block, this.#reserved(request))
        const address = isWorthATry ? await this.#take(block.spec.cidr, request, this.#nextIfOwn(request)) : undefined
        if (address !== undefined) return address
      }
    }
    return undefined
  }

  #next(request: AddressRequest): Choose {
    return (block, holder) => assignNext(block, holder, this.#reserved(request))
  }

  #nextIfOwn(request: AddressRequest): Choose {
    const next = this.#next(request)
    return (block, holder) => (ownerOf(block) === this.#deps.nodeName ? next(block, holder) : undefined)
  }

  /** One claim at a time: whoever waited looks first whether the claim before has made room. */
  #fromNewBlock(request: Attempt): Promise<string | undefined> {
    return this.#claims.run('claim', async () => {
      const waited = await this.#fromOwnBlocks(request)
      if (waited !== undefined) return waited
      const configuration = await this.#configuration()
      if (configuration?.spec.autoAllocateBlocks === false) return undefined
      this.#checkBlockLimit(request, configuration)
      for await (const cidr of this.#claimable(request)) {
        request.signal?.throwIfAborted()
        const block = await claimBlock(this.#deps, cidr)
        const address =
          block === undefined ? undefined : await this.#take(formatCidr(cidr), request, this.#nextIfOwn(request))
        if (address !== undefined) return address
      }
      return undefined
    })
  }

  /** Blocks of nobody, then those that other nodes have let go of. */
  async *#claimable(request: AddressRequest): AsyncGenerator<Cidr> {
    yield* this.#unclaimed(request)
    for (const block of idleBlocksOfOthers(this.#othersBlocks(request), this.#deps.now())) {
      if (await takeFromOwner(this.#deps, block)) yield parseCidr(block.spec.cidr)
    }
  }

  /** Not those that are reserved as a whole, nor those that overlap blocks of another size, of a pool that was there before. */
  *#unclaimed(request: AddressRequest): Generator<Cidr> {
    const reserved = this.#reserved(request)
    for (const pool of request.pools) {
      const foreign = blocksOfOtherSize(pool, this.#deps.store.view.list())
      for (const cidr of blockCandidates(pool, this.#deps.nodeName)) {
        const isUsable =
          !reserved.some((each) => cidrCovers(each, cidr)) && !foreign.some((each) => cidrsOverlap(each, cidr))
        if (isUsable && this.#deps.store.view.find(formatCidr(cidr)) === undefined) yield cidr
      }
    }
  }

  /** At the limit Calico does not borrow either: the limit is there to keep a node's addresses together. */
  #checkBlockLimit({ pools, family }: AddressRequest, configuration: IPAMConfiguration | undefined): void {
    const most = configuration?.spec.maxBlocksPerHost || defaultMostBlocks
    const owned = this.#ownBlocks(pools).length
    if (owned < most) return
    throw new BlockLimitError(
      notAssigned(family, `cannot allocate new block due to per host block limit (${owned} of ${most})`),
      { fix: 'raise maxBlocksPerHost of the IPAMConfiguration "default", or use a larger block size' },
    )
  }

  async #borrow(request: Attempt): Promise<string> {
    const { family, pools } = request
    const prefixes = pools.map(({ spec }) => spec.cidr).join(', ')
    if ((await this.#configuration())?.spec.strictAffinity === true) {
      throw new PoolExhaustedError(
        notAssigned(family, `No more free affine blocks and strict affinity enabled in pools: [${prefixes}]`),
        { fix: 'add an IPPool, or turn strictAffinity of the IPAMConfiguration "default" off' },
      )
    }
    for (const block of this.#othersBlocks(request)) {
      request.signal?.throwIfAborted()
      const address = await this.#take(block.spec.cidr, request, this.#next(request))
      if (address !== undefined) return address
    }
    throw new PoolExhaustedError(notAssigned(family, `No IPs available in pools: [${prefixes}]`), {
      fix: 'add an IPPool, or delete pods that no longer need their address',
    })
  }

  /** Takes nothing for whoever has given up while the writes of others were under way. */
  async #take(
    cidr: string,
    { holder, signal }: Pick<Attempt, 'holder' | 'signal'>,
    choose: Choose,
  ): Promise<string | undefined> {
    let address: string | undefined
    // When this throws, the write may have been done all the same: a release then has to look.
    const lost = this.#deps.handles.doubt(holder.handleId, cidr)
    const written = await this.#deps.store.update(cidr, (block) => {
      const assignment = signal?.aborted === true ? undefined : choose(block, holder)
      address = assignment?.address
      return assignment?.block
    })
    lost.isCertain()
    if (written === undefined) {
      signal?.throwIfAborted()
      return undefined
    }
    this.#deps.handles.note(holder.handleId, { isNew: true })
    return address
  }

  #ownBlocks(pools: readonly IPPool[]): IPAMBlock[] {
    const own = this.#deps.store.view.ownedBy(this.#deps.nodeName)
    return own.filter(({ spec }) => poolOf(pools, spec.cidr) !== undefined)
  }

  /** Starts with the blocks that have most room, so that borrowers do not fill up a busy node's block. */
  #othersBlocks({ pools, avoid }: AddressRequest): IPAMBlock[] {
    return this.#deps.store.view
      .list()
      .filter((block) => ownerOf(block) !== this.#deps.nodeName && hasFree(block, this.#reserved({ avoid })))
      .filter(({ spec }) => poolOf(pools, spec.cidr) !== undefined)
      .sort((a, b) => b.spec.unallocated.length - a.spec.unallocated.length)
  }

  #reserved({ avoid = [] }: Pick<AddressRequest, 'avoid'>): readonly Cidr[] {
    return [...(this.#deps.reserved?.() ?? []), ...avoid]
  }

  #configuration(): Promise<IPAMConfiguration | undefined> {
    return this.#deps.kube.find(ipamConfigurations, 'default')
  }
}
