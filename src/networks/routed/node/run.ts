import { setMaxListeners } from 'node:events'
import { describeError } from '../../../base/errors.ts'
import { parseCidr } from '../../../base/ip.ts'
import { KeyedLock } from '../../../base/keyed-lock.ts'
import type { Unsubscribe } from '../../../base/observable.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import { BirdError } from '../../../bird/control.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { Informer } from '../../../kube/api.ts'
import { createInformer } from '../../../kube/informer.ts'
import { apiVersionOf, type KubeObject, type ResourceType } from '../../../kube/resources/meta.ts'
import type {
  AttachmentKey,
  AttachmentRef,
  AttachRequest,
  ClusterPrefixes,
  NetworkStatus,
  NodeDeps,
  NodeSide,
} from '../../driver.ts'
import { clusterPrefixes } from '../cluster-prefixes.ts'
import type { RoutedConfig, RoutedSettings } from '../config.ts'
import { claimBlock } from '../ipam/affinity.ts'
import { Assigner } from '../ipam/assign.ts'
import { ownerOf } from '../ipam/block.ts'
import { BlockStore } from '../ipam/block-store.ts'
import { BlockView } from '../ipam/block-view.ts'
import { HandleIndex } from '../ipam/handle-index.ts'
import { noteLostHandles } from '../ipam/lost-handles.ts'
import { releaseByHandle } from '../ipam/release.ts'
import {
  bgpConfigurations,
  bgpFilters,
  bgpPeers,
  blockAffinities,
  type IPPool,
  ipamBlocks,
  ipPools,
} from '../resources.ts'
import { attach } from './attach.ts'
import { type BirdSources, syncBird } from './bird-sync.ts'
import { buildNft } from './build-nft.ts'
import { collectGarbage } from './collect-garbage.ts'
import type { NodeContext } from './context.ts'
import { ensureDefaultPool } from './default-pool.ts'
import { detach } from './detach.ts'
import { ensureForwarding, restoreHostInterfaces } from './host-setup.ts'
import { ensureNodeAddress } from './node-address.ts'
import { PendingReleases } from './pending-releases.ts'
import { SteadyBird } from './steady-bird.ts'
import { verify } from './verify.ts'

/** The routed network on one node. */
export function routedNodeSide(settings: RoutedSettings, deps: NodeDeps): NodeSide<RoutedConfig> {
  return new RoutedNode(settings, deps)
}

/** Parts of the node's state that are kept right, each by its own key in the queue. */
type Part = 'nft' | 'bird' | 'releases' | 'handles' | 'address'

/** Edits of many objects within this time make one reload of BIRD. */
const settleMs = 20

class RoutedNode implements NodeSide<RoutedConfig> {
  readonly #settings: RoutedSettings
  readonly #deps: NodeDeps
  readonly #sources: BirdSources
  readonly #context: NodeContext
  readonly #bird: SteadyBird
  readonly #queue: Workqueue
  readonly #problems = new Map<Part | 'start', string>([['start', 'the routed network is starting']])
  readonly #reported = new Set<string>()
  #mistakes: readonly string[] = []
  #subscriptions: Unsubscribe[] = []
  readonly #stopping = new AbortController()
  #mtuBytes: number | undefined
  #nft: string | undefined

  constructor(settings: RoutedSettings, deps: NodeDeps) {
    this.#settings = settings
    this.#deps = deps
    const informer = <T extends KubeObject>(type: ResourceType<T>): Informer<T> =>
      createInformer(deps.kube, type, { log: deps.log })
    this.#sources = {
      deps,
      pools: informer(ipPools),
      blocks: informer(ipamBlocks),
      affinities: informer(blockAffinities),
      configurations: informer(bgpConfigurations),
      peers: informer(bgpPeers),
      filters: informer(bgpFilters),
    }
    this.#context = contextOf(settings, this.#sources, () => this.#mtuBytes)
    this.#bird = new SteadyBird({ configFile: deps.paths.birdConfigFile, socket: deps.paths.birdSocket, log: deps.log })
    this.#queue = new Workqueue({
      name: 'routed',
      log: deps.log,
      settleMs,
      maxDelayMs: 5000,
      reconcile: (part) => this.#reconcile(part as Part),
    })
  }

  async start(untilAborted: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([untilAborted, this.#stopping.signal])
    // Every watch listens to it for as long as it lasts.
    setMaxListeners(0, signal)
    const { kernel, kube, log } = this.#deps
    const { pools, blocks, affinities, configurations, peers, filters } = this.#sources
    const informers = [pools, blocks, affinities, configurations, peers, filters]
    await Promise.all(informers.map((informer) => informer.start(signal)))
    await ensureDefaultPool({ kube, log, pools }, this.#settings)
    await this.#syncAddress(signal)
    await ensureForwarding(kernel)
    await this.#syncNft()
    await restoreHostInterfaces(kernel, log)
    await this.#completeClaims()
    this.#subscribe()
    for (const part of ['bird', 'releases', 'handles'] as const) this.#queue.add(part)
    this.#context.handles.noteAll(this.#deps.nodeName)
    this.#problems.delete('start')
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const unsubscribe of this.#subscriptions) unsubscribe()
    this.#subscriptions = []
    await Promise.all([this.#queue.stop(), this.#context.handles.stop()])
  }

  attach(request: AttachRequest<RoutedConfig>, signal: AbortSignal): Promise<CniResult> {
    return attach(this.#context, request, signal)
  }

  detach(ref: AttachmentRef<RoutedConfig>): Promise<void> {
    return detach(this.#context, ref).finally(() => this.#queue.add('releases'))
  }

  verify(ref: AttachmentRef<RoutedConfig>, result: CniResult) {
    return verify(this.#context, ref, result)
  }

  collectGarbage(valid: readonly AttachmentKey[]): Promise<void> {
    return collectGarbage(this.#context, valid)
  }

  status(): NetworkStatus {
    const problems = [...this.#problems.values()]
    return { isReady: problems.length === 0, problems }
  }

  prefixes(): Partial<ClusterPrefixes> {
    return clusterPrefixes(this.#sources.pools.list(), this.#deps.nodes.list())
  }

  #subscribe(): void {
    const { deps, pools, blocks, affinities, configurations, peers, filters } = this.#sources
    this.#subscriptions = [
      pools.onChange(() => this.#queue.add('nft')),
      deps.nodes.onChange(() => this.#queue.add('address')),
      // Every ADD writes a block; only whose it is matters to BGP.
      blocks.on((event) => {
        if (event.type !== 'updated' || ownerOf(event.before) !== ownerOf(event.object)) this.#queue.add('bird')
      }),
      ...[pools, affinities, configurations, peers, filters, deps.nodes].map((source) =>
        source.onChange(() => this.#queue.add('bird')),
      ),
    ]
  }

  /** What fails is a problem of the network until it succeeds; the queue tries again. */
  async #reconcile(part: Part): Promise<void> {
    const sync = {
      nft: () => this.#syncNft(),
      bird: () => this.#syncBird(),
      releases: () => this.#syncReleases(),
      handles: () => noteLostHandles({ ...this.#context, kube: this.#deps.kube }, this.#deps.nodeName),
      address: () => this.#syncMissingAddress(),
    }[part]
    try {
      await sync()
      this.#problems.delete(part)
    } catch (error) {
      // An address that waits for the API server is no reason to refuse pods, nor is an index of them.
      if (part !== 'releases' && part !== 'handles') this.#problems.set(part, describeError(error))
      throw error
    }
  }

  async #syncAddress(signal: AbortSignal): Promise<void> {
    const address = await ensureNodeAddress(this.#deps, this.#settings.ipAutodetectionMethod, signal)
    this.#mtuBytes = address.mtuBytes
  }

  /** Somebody has removed the annotation, or made the Node anew. */
  async #syncMissingAddress(): Promise<void> {
    const node = this.#deps.nodes.get(this.#deps.nodeName)
    if (node === undefined || node.metadata.annotations?.['projectcalico.org/IPv4Address'] !== undefined) return
    await this.#syncAddress(AbortSignal.timeout(10_000))
  }

  async #syncNft(): Promise<void> {
    for (const pool of this.#sources.pools.list()) this.#checkEncapsulation(pool)
    const text = buildNft(this.#sources.pools.list())
    if (text === this.#nft) return
    await this.#deps.kernel.nft(undefined, text)
    this.#nft = text
  }

  async #syncBird(): Promise<void> {
    try {
      const { problems, mistakes } = await syncBird(this.#sources, this.#bird, this.#stopping.signal)
      for (const { peer, message } of problems) {
        this.#report({ type: bgpPeers, object: peer }, 'NoBGPSession', message)
      }
      for (const message of mistakes) {
        if (!this.#mistakes.includes(message)) this.#reportOfNode('BGPTopology', message)
      }
      this.#mistakes = mistakes
    } catch (error) {
      if (error instanceof BirdError && error.code !== undefined) this.#reportRefusal(error)
      throw error
    }
  }

  /** BIRD does not take what we made of the cluster's objects: the node goes on with what it had. */
  #reportRefusal(error: BirdError): void {
    this.#reportOfNode('BirdConfigurationRefused', `${describeError(error)}; the sessions of before stay`)
  }

  #reportOfNode(reason: string, message: string): void {
    const about = { apiVersion: 'v1', kind: 'Node', metadata: { name: this.#deps.nodeName } }
    this.#deps.log.warn({ reason }, message)
    this.#deps.events.event(about, 'Warning', reason, message)
  }

  #checkEncapsulation(pool: IPPool): void {
    const { ipipMode = 'Never', vxlanMode = 'Never' } = pool.spec
    if (ipipMode === 'Never' && vxlanMode === 'Never') return
    const message = 'pods of this pool are routed without encapsulation; set ipipMode and vxlanMode to Never'
    this.#report({ type: ipPools, object: pool }, 'NoEncapsulation', message)
  }

  /** Once for each thing that is wrong, not at each change of anything. */
  #report({ type, object }: { type: ResourceType; object: KubeObject }, reason: string, message: string): void {
    const key = `${object.metadata.uid} ${object.metadata.generation} ${message}`
    if (this.#reported.has(key)) return
    this.#reported.add(key)
    this.#deps.log.warn({ kind: type.kind, object: object.metadata.name }, message)
    this.#deps.events.event({ apiVersion: apiVersionOf(type), kind: type.kind, ...object }, 'Warning', reason, message)
  }

  async #syncReleases(): Promise<void> {
    const { releases, store } = this.#context
    for (const handleId of await releases.list()) {
      await releaseByHandle({ kube: this.#deps.kube, store }, handleId)
      await releases.remove(handleId)
    }
  }

  /** Claims that a crash has left half done. */
  async #completeClaims(): Promise<void> {
    const { deps, affinities } = this.#sources
    const pending = affinities.list().filter(({ spec }) => spec.node === deps.nodeName && spec.state === 'pending')
    const { store } = this.#context
    for (const { spec } of pending) {
      await claimBlock({ kube: deps.kube, store, nodeName: deps.nodeName, now: Date.now }, parseCidr(spec.cidr))
    }
  }
}

function contextOf(
  settings: RoutedSettings,
  sources: BirdSources,
  nodeMtuBytes: () => number | undefined,
): NodeContext {
  const { deps, pools, blocks } = sources
  const view = new BlockView(blocks)
  const store = new BlockStore(deps.kube, view)
  const handles = new HandleIndex({ kube: deps.kube, view, log: deps.log, calm: deps.calm })
  return {
    settings,
    handles,
    deps,
    pools,
    store,
    assigner: new Assigner({ kube: deps.kube, store, handles, nodeName: deps.nodeName, now: Date.now }),
    releases: new PendingReleases(deps.paths.stateFolder),
    locks: new KeyedLock(),
    attaching: new Set(),
    nodeMtuBytes,
  }
}
