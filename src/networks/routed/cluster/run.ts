import type { Lifecycle } from '../../../base/lifecycle.ts'
import type { Unsubscribe } from '../../../base/observable.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import type { ClusterDeps } from '../../driver.ts'
import { type ClusterContext, createContext } from './context.ts'
import { releaseNode, suspectNodes } from './gone-nodes.ts'
import { idleBlocks, releaseIdleBlock } from './idle-blocks.ts'
import { handlesOfPod, releaseLeak, suspectHandles } from './leaks.ts'
import { writePoolCondition } from './pool-conditions.ts'
import { reportShortages } from './report-shortages.ts'
import { endClaim, staleClaims } from './stale-claims.ts'

/** As Calico's: how long an address without a pod is left alone, because DEL is the node's to do. */
const leakGraceMs = 15 * 60_000

/** Nodes come in dozens and send heartbeats: one look is enough for many of them. */
const shortageSettleMs = 2000
/** Edits of several pools within this time are looked at together. */
const settleMs = 50

export interface RoutedClusterOptions {
  /** @default 15 minutes */
  leakGraceMs?: number
}

/** What the routed network does for the whole cluster: gives back what gone nodes and lost DELs have left. */
export function routedClusterSide(deps: ClusterDeps, options: RoutedClusterOptions = {}): Lifecycle {
  return new RoutedCluster(deps, options.leakGraceMs ?? leakGraceMs)
}

/**
 * Whatever looks like garbage is looked at once more after the grace time, in the API itself, and only then freed. All
 * is gone through twice in a grace time, so that nothing depends on an event that was missed. Nodes that are gone are
 * not waited for.
 */
class RoutedCluster implements Lifecycle {
  readonly #context: ClusterContext
  readonly #graceMs: number
  readonly #goneNodes: Workqueue
  readonly #leaks: Workqueue
  readonly #idleBlocks: Workqueue
  readonly #claims: Workqueue
  readonly #shortages: Workqueue
  readonly #reported = new Set<string>()
  readonly #poolConditions: Workqueue
  #subscriptions: Unsubscribe[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(deps: ClusterDeps, graceMs: number) {
    const context = createContext(deps)
    this.#context = context
    this.#graceMs = graceMs
    const queue = (name: string, settleMs: number, reconcile: (key: string) => Promise<void>): Workqueue =>
      new Workqueue({ name, log: deps.log, settleMs, reconcile })
    this.#goneNodes = queue('routed-nodes', 0, (node) => releaseNode(context, node))
    this.#leaks = queue('routed-leaks', graceMs, (handle) => releaseLeak(context, handle))
    this.#idleBlocks = queue('routed-idle-blocks', graceMs, (cidr) => releaseIdleBlock(context, cidr))
    this.#shortages = queue('routed-shortages', shortageSettleMs, async () => reportShortages(context, this.#reported))
    this.#claims = queue('routed-claims', graceMs, (name) => endClaim(context, name))
    this.#poolConditions = queue('routed-pools', settleMs, (name) => writePoolCondition(context, name))
  }

  async start(signal: AbortSignal): Promise<void> {
    const { blocks, affinities, pools, deps } = this.#context
    await Promise.all([blocks.start(signal), affinities.start(signal), pools.start(signal)])
    this.#subscriptions = [
      deps.nodes.onChange(() => this.#shortages.add('all')),
      pools.onChange(() => this.#shortages.add('all')),
      deps.nodes.on((event) => {
        if (event.type === 'deleted') this.#goneNodes.add(event.object.metadata.name)
      }),
      deps.pods.on((event) => {
        if (event.type !== 'deleted') return
        const { metadata, spec } = event.object
        for (const handle of handlesOfPod(this.#context, metadata)) this.#leaks.add(handle)
        const node = spec?.nodeName
        if (node !== undefined && deps.nodes.get(node) === undefined) this.#goneNodes.add(node)
      }),
    ]
    this.#shortages.add('all')
    this.#subscriptions.push(pools.onChange(() => this.#checkPools()))
    this.#checkPools()
    this.#scan()
    this.#timer = setInterval(() => this.#scan(), Math.max(this.#graceMs / 2, 10))
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    for (const unsubscribe of this.#subscriptions) unsubscribe()
    this.#subscriptions = []
    const queues = [this.#goneNodes, this.#leaks, this.#idleBlocks, this.#claims, this.#shortages, this.#poolConditions]
    await Promise.all(queues.map((queue) => queue.stop()))
  }

  /** One pool's state may depend on every other. */
  #checkPools(): void {
    for (const { metadata } of this.#context.pools.list()) this.#poolConditions.add(metadata.name)
  }

  #scan(): void {
    const { deps, store, pools } = this.#context
    const facts = { blocks: store.view.list(), pools: pools.list(), nodes: deps.nodes.list() }
    for (const node of suspectNodes(this.#context)) this.#goneNodes.add(node)
    for (const handle of suspectHandles(this.#context)) this.#leaks.add(handle)
    for (const cidr of idleBlocks(facts)) this.#idleBlocks.add(cidr)
    for (const name of staleClaims(this.#context)) this.#claims.add(name)
  }
}
