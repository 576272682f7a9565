import type { Lifecycle } from '../../../base/lifecycle.ts'
import type { Unsubscribe } from '../../../base/observable.ts'
import { runAll } from '../../../base/undo.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import type { Informer } from '../../../kube/api.ts'
import { isNotFound } from '../../../kube/errors.ts'
import { createInformer } from '../../../kube/informer.ts'
import { nodes, pods } from '../../../kube/resources/core.ts'
import type { ClusterDeps } from '../../driver.ts'
import { releaseBlock } from '../ipam/affinity.ts'
import { ownerOf } from '../ipam/block.ts'
import { BlockStore } from '../ipam/block-store.ts'
import { BlockView } from '../ipam/block-view.ts'
import { releaseByHandle } from '../ipam/release.ts'
import { type BlockAffinity, blockAffinities, type IPAMBlock, ipamBlocks } from '../resources.ts'
import { isLeaked, type PodAllocation, podAllocations } from './find-leaks.ts'

/** As Calico's: how long an address without a pod is left alone, because DEL is the node's to do. */
const leakGraceMs = 15 * 60_000

export interface RoutedClusterOptions {
  /** @default 15 minutes */
  leakGraceMs?: number
}

/** What the routed network does for the whole cluster: gives back what gone nodes and lost DELs have left. */
export function routedClusterSide(deps: ClusterDeps, options: RoutedClusterOptions = {}): Lifecycle {
  return new RoutedCluster(deps, options.leakGraceMs ?? leakGraceMs)
}

class RoutedCluster implements Lifecycle {
  readonly #deps: ClusterDeps
  readonly #blocks: Informer<IPAMBlock>
  readonly #affinities: Informer<BlockAffinity>
  readonly #store: BlockStore
  readonly #goneNodes: Workqueue
  readonly #leaks: Workqueue
  #subscriptions: Unsubscribe[] = []

  constructor(deps: ClusterDeps, graceMs: number) {
    this.#deps = deps
    const { kube, log } = deps
    this.#blocks = createInformer(kube, ipamBlocks, { log })
    this.#affinities = createInformer(kube, blockAffinities, { log })
    this.#store = new BlockStore(kube, new BlockView(this.#blocks))
    this.#goneNodes = new Workqueue({ name: 'routed-nodes', log, reconcile: (node) => this.#releaseNode(node) })
    this.#leaks = new Workqueue({
      name: 'routed-leaks',
      log,
      settleMs: graceMs,
      reconcile: (handle) => this.#releaseLeak(handle),
    })
  }

  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#blocks.start(signal), this.#affinities.start(signal)])
    this.#subscriptions = [
      this.#deps.nodes.on((event) => {
        if (event.type === 'deleted') this.#goneNodes.add(event.object.metadata.name)
      }),
      this.#deps.pods.on((event) => {
        if (event.type === 'deleted') this.#suspectPod(event.object.metadata)
      }),
    ]
    this.#suspectAll()
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions) unsubscribe()
    this.#subscriptions = []
    await Promise.all([this.#goneNodes.stop(), this.#leaks.stop()])
  }

  /** What happened while no controller ran. */
  #suspectAll(): void {
    const named = [
      ...this.#blocks.list().flatMap((block) => ownerOf(block) ?? []),
      ...this.#affinities.list().map(({ spec }) => spec.node),
      ...this.#allocations().map(({ node }) => node),
    ]
    for (const node of new Set(named)) if (this.#deps.nodes.get(node) === undefined) this.#goneNodes.add(node)
    for (const allocation of this.#allocations()) {
      const pod = this.#deps.pods.get(allocation.pod, allocation.namespace)
      if (isLeaked(allocation, pod)) this.#leaks.add(allocation.handleId)
    }
  }

  #suspectPod({ name, namespace }: { name: string; namespace?: string }): void {
    for (const allocation of this.#allocations()) {
      if (allocation.pod === name && allocation.namespace === namespace) this.#leaks.add(allocation.handleId)
    }
  }

  /** Asks the API itself, not the informer: a copy that lags must not cost a living pod its address. */
  async #releaseLeak(handleId: string): Promise<void> {
    const allocations = this.#allocations().filter((allocation) => allocation.handleId === handleId)
    if (allocations.length === 0) return
    for (const allocation of allocations) {
      const pod = await this.#deps.kube.find(pods, allocation.pod, allocation.namespace)
      if (!isLeaked(allocation, pod)) return
    }
    const freed = await releaseByHandle({ kube: this.#deps.kube, store: this.#store }, handleId)
    this.#deps.log.warn({ handleId, freed, pod: allocations[0]?.pod }, 'released addresses that no pod has')
  }

  /** Everything of a node that is gone: its pods' addresses, its blocks, its claims. */
  async #releaseNode(nodeName: string): Promise<void> {
    if (await this.#nodeExists(nodeName)) return
    const { kube, log } = this.#deps
    const handles = new Set(
      this.#allocations()
        .filter(({ node }) => node === nodeName)
        .map(({ handleId }) => handleId),
    )
    const cidrs = new Set([
      ...this.#blocks
        .list()
        .filter((block) => ownerOf(block) === nodeName)
        .map(({ spec }) => spec.cidr),
      ...this.#affinities
        .list()
        .filter(({ spec }) => spec.node === nodeName)
        .map(({ spec }) => spec.cidr),
    ])
    await runAll(`release what node ${nodeName} had`, [
      ...[...handles].map((handle) => async () => void (await releaseByHandle({ kube, store: this.#store }, handle))),
      ...[...cidrs].map((cidr) => () => releaseBlock({ kube, store: this.#store }, { nodeName, cidr })),
    ])
    log.info({ node: nodeName, handles: handles.size, blocks: [...cidrs] }, 'released what a deleted node had')
  }

  async #nodeExists(nodeName: string): Promise<boolean> {
    try {
      await this.#deps.kube.get(nodes, nodeName)
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  #allocations(): PodAllocation[] {
    return podAllocations(this.#store.view.list())
  }
}
