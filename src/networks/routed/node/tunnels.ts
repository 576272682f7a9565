import { isDeepStrictEqual } from 'node:util'
import { cidrContains, cidrCovers, formatCidr, parseCidr } from '../../../base/ip.ts'
import { describeOperation } from '../../../kernel/describe.ts'
import type { Operation } from '../../../kernel/kernel.ts'
import { buildTunnels, type TunnelPlan } from '../tunnels/build-tunnels.ts'
import {
  type EncapsulatedPool,
  type Encapsulation,
  encapsulatedPools,
  encapsulations,
  tunnelDevices,
  tunnelFamilies,
} from '../tunnels/encapsulation.ts'
import { placementsIn } from '../tunnels/placements.ts'
import { type TunnelNode, tunnelNodeOf } from '../tunnels/tunnel-node.ts'
import type { BirdSources } from './bird-sync.ts'
import type { NodeContext } from './context.ts'
import type { OwnAddress } from './own-address.ts'
import { RouteHold } from './route-hold.ts'
import { readTunnelState, tunnelDelta } from './tunnel-delta.ts'
import { TunnelEnd } from './tunnel-end.ts'
import { NoUnderlayError } from './unsupported-encapsulation.ts'

export interface TunnelsOptions {
  readonly context: NodeContext
  readonly sources: BirdSources
  readonly address: OwnAddress
  /** To be synchronised again. */
  readonly onChange: () => void
  /** What is carried has changed. */
  readonly onCarried: () => void
  /** Something was not as this process had left it, and is again. */
  readonly onRepair: (done: readonly string[]) => void
}

/** How long an end outlives the last pool that needs it: other nodes may hear of the change later and send until then. */
const lingerMs = 15_000

/**
 * Keeps this node's ends of tunnels and the routes through them at what the pools say. What others need comes before
 * what uses it, and goes after it, so that a pool's mode changes on a running cluster without a lost packet.
 */
export class Tunnels {
  readonly #options: TunnelsOptions
  readonly #ends: Readonly<Record<Encapsulation, TunnelEnd>>
  readonly #hold: RouteHold
  readonly #neededAt: Record<Encapsulation, number>
  #applied: TunnelPlan | undefined
  readonly #failures = new Map<Encapsulation, unknown>()
  readonly #working = new Set<Encapsulation>()
  #isHolding = false
  #isClean = false
  #lingering: NodeJS.Timeout | undefined

  constructor(options: TunnelsOptions) {
    const { context, address, onChange } = options
    this.#options = options
    const end = (kind: Encapsulation): TunnelEnd => new TunnelEnd(context, kind)
    this.#ends = { vxlan: end('vxlan'), vxlan6: end('vxlan6'), ipip: end('ipip') }
    this.#hold = new RouteHold({ kernel: context.deps.kernel, device: () => address.interfaceName, onChange })
    const now = Date.now()
    this.#neededAt = { vxlan: now, vxlan6: now, ipip: now }
  }

  /** Pools whose every prefix is reached without BGP. */
  get carried(): readonly string[] {
    return this.#applied?.carried ?? []
  }

  /** Throws IpamError, KernelError, UnsupportedEncapsulationError; what the other kind needs is done all the same. */
  async sync(): Promise<void> {
    const { deps } = this.#options.context
    const self = deps.nodes.get(deps.nodeName)
    const local = self === undefined ? undefined : tunnelNodeOf(self)
    if (local === undefined) return
    const pools = encapsulatedPools(this.#options.sources.pools.list())
    if (pools.length === 0 && this.#isClean) return
    const needed = encapsulations.filter((kind) => pools.some(({ encapsulation }) => encapsulation === kind))
    await this.#ensureEnds(needed, local)
    const usable = pools.filter(({ encapsulation }) => this.#working.has(encapsulation))
    await this.#program(local, usable)
    this.#isClean = await this.#removeUnneeded(needed)
    for (const failure of this.#failures.values()) throw failure
  }

  /** Throws why pods of this address' pool could not reach those of other nodes. */
  requireReachable(address: string): void {
    const pools = encapsulatedPools(this.#options.sources.pools.list())
    const kind = pools.find(({ cidr }) => cidrContains(cidr, address))?.encapsulation
    if (kind === undefined || this.#working.has(kind)) return
    const failure = this.#failures.get(kind)
    if (failure !== undefined) throw failure
  }

  /** An end that has worked goes on working while, say, the API server is away. */
  async #ensureEnds(needed: readonly Encapsulation[], { underlays }: TunnelNode): Promise<void> {
    for (const kind of encapsulations) {
      this.#failures.delete(kind)
      if (!needed.includes(kind)) {
        // It was needed until now, however long nothing has had to be done.
        if (this.#working.delete(kind)) this.#neededAt[kind] = Date.now()
        continue
      }
      this.#neededAt[kind] = Date.now()
      try {
        const family = tunnelFamilies[kind]
        const address = underlays[family]?.address
        if (address === undefined) throw new NoUnderlayError(kind)
        await this.#ends[kind].ensure({ address, nicMtuBytes: this.#options.address.interfaceOf(family).mtuBytes })
        this.#working.add(kind)
      } catch (error) {
        this.#failures.set(kind, error)
      }
    }
  }

  async stop(): Promise<void> {
    clearTimeout(this.#lingering)
    await this.#hold.stop()
  }

  async #program(local: TunnelNode, pools: readonly EncapsulatedPool[]): Promise<void> {
    const { context, sources, address } = this.#options
    const { kernel, nodes, nodeName } = context.deps
    const others = nodes.list().filter(({ metadata }) => metadata.name !== nodeName)
    const plan = buildTunnels({
      local: { ...local, devices: { 4: address.interfaceOf(4).name, 6: address.interfaceOf(6).name } },
      nodes: others.flatMap((node) => tunnelNodeOf(node) ?? []),
      pools,
      placements: placementsIn(pools, sources.blocks.list(), sources.affinities.list()),
    })
    const delta = tunnelDelta(plan, await readTunnelState(kernel))
    await kernel.apply(undefined, delta.additions)
    const leaving = await this.#hold.release(delta.strayRoutes, this.#isForBgp(pools))
    const removals = leaving.map((route): Operation => ({ op: 'deleteRoute', route }))
    await kernel.apply(undefined, removals)
    const wasHolding = this.#isHolding
    // Routes that are held lead through entries of nodes that the plan no longer has.
    this.#isHolding = leaving.length < delta.strayRoutes.length
    const kept = new Set([...this.#working].map((kind) => tunnelDevices[kind]))
    const strays = delta.strayEntries
      .filter(({ device }) => !this.#isHolding && kept.has(device))
      .map(({ operation }) => operation)
    await kernel.apply(undefined, strays)
    this.#note(plan, wasHolding ? [] : [...delta.additions, ...removals, ...strays])
  }

  /** What differs although the plan is the same was changed by somebody else. */
  #note(plan: TunnelPlan, changes: readonly Operation[]): void {
    const before = this.#applied
    this.#applied = plan
    if (changes.length > 0 && isDeepStrictEqual(before, plan)) this.#options.onRepair(changes.map(describeOperation))
    if (!isDeepStrictEqual(before?.carried ?? [], plan.carried)) this.#options.onCarried()
  }

  /** Whether a prefix is on another node, in a pool that is not encapsulated: then BGP will bring a route to it. */
  #isForBgp(encapsulated: readonly EncapsulatedPool[]): (destination: string) => boolean {
    const { sources, context } = this.#options
    let elsewhere: Set<string> | undefined
    return (destination) => {
      const prefix = parseCidr(destination)
      if (encapsulated.some(({ cidr }) => cidrCovers(cidr, prefix))) return false
      const all = sources.pools.list().map(({ spec }) => ({ cidr: parseCidr(spec.cidr), ...asIfEncapsulated }))
      elsewhere ??= new Set(
        placementsIn(all, sources.blocks.list(), sources.affinities.list())
          .filter(({ node }) => node !== context.deps.nodeName)
          .map((placement) => formatCidr(parseCidr(placement.prefix))),
      )
      return elsewhere.has(destination)
    }
  }

  /** Tells whether nothing is left. */
  async #removeUnneeded(needed: readonly Encapsulation[]): Promise<boolean> {
    let isClean = needed.length === 0 && !this.#isHolding
    for (const kind of encapsulations.filter((each) => !needed.includes(each))) {
      if (!(await this.#ends[kind].exists())) continue
      const waitMs = this.#neededAt[kind] + lingerMs - Date.now()
      if (waitMs <= 0) await this.#ends[kind].remove()
      else {
        isClean = false
        this.#wakeIn(waitMs)
      }
    }
    return isClean
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#lingering)
    this.#lingering = setTimeout(this.#options.onChange, ms)
    this.#lingering.unref()
  }
}

const asIfEncapsulated = { encapsulation: 'vxlan', isCrossSubnet: false } as const
