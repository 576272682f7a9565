import { setMaxListeners } from 'node:events'
import type { Unsubscribe } from '../../../base/observable.ts'
import type { CniResult } from '../../../cni/result.ts'
import type {
  AddressManagement,
  AttachmentKey,
  AttachmentRef,
  AttachRequest,
  ClusterPrefixes,
  NetworkGauge,
  NetworkStatus,
  NodeDeps,
  NodeSide,
  Preparation,
} from '../../driver.ts'
import { clusterPrefixes } from '../cluster-prefixes.ts'
import type { RoutedConfig, RoutedSettings } from '../config.ts'
import { noteLostHandles } from '../ipam/lost-handles.ts'
import { podMtuBytes } from '../tunnels/encapsulation.ts'
import { addressManagement } from './address-management.ts'
import { attach } from './attach.ts'
import { nftTable } from './build-nft.ts'
import { collectGarbage } from './collect-garbage.ts'
import { createContext, type NodeContext } from './context.ts'
import { ensureDefaultPools } from './default-pool.ts'
import { detach } from './detach.ts'
import { ensureForwarding, forwardedFamilies, restoreHostInterfaces } from './host-setup.ts'
import { completeClaims, releasePending } from './leftovers.ts'
import { NftTable } from './nft-table.ts'
import { NodeBird } from './node-bird.ts'
import { OwnAddress } from './own-address.ts'
import { type Part, Parts, type Upkeep } from './parts.ts'
import { prepare } from './prepare.ts'
import { removeFromNode } from './remove.ts'
import { NodeRepair } from './repair/node-repair.ts'
import { Repairs } from './repair/repairs.ts'
import { Reports } from './reports.ts'
import { senderTable } from './senders/elements.ts'
import { SenderTables } from './senders/sender-tables.ts'
import { createSources, type NodeSources, startSources, subscribe } from './sources.ts'
import { StatusReporter } from './status-reporter.ts'
import { Tunnels } from './tunnels.ts'
import { verify } from './verify.ts'

/** The routed network on one node. */
export function routedNodeSide(settings: RoutedSettings, deps: NodeDeps): NodeSide<RoutedConfig> {
  return new RoutedNode(settings, deps)
}

class RoutedNode implements NodeSide<RoutedConfig> {
  readonly addresses: AddressManagement
  readonly preparation: Preparation<RoutedConfig>
  readonly #settings: RoutedSettings
  readonly #deps: NodeDeps
  readonly #sources: NodeSources
  readonly #context: NodeContext
  readonly #address: OwnAddress
  readonly #nft: NftTable
  readonly #senders: SenderTables
  readonly #bird: NodeBird
  readonly #reporter: StatusReporter
  readonly #tunnels: Tunnels
  readonly #repairs: Repairs
  readonly #repair: NodeRepair
  readonly #parts: Parts
  readonly #stopping = new AbortController()
  #unsubscribe: Unsubscribe = () => {}
  #isTidying = false

  constructor(settings: RoutedSettings, deps: NodeDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#sources = createSources(deps)
    const reports = new Reports(deps)
    this.#address = new OwnAddress(deps, settings, { reports, onChange: () => this.#parts.change('address') })
    this.#context = createContext(settings, this.#sources, {
      nodeMtuBytes: () => this.#podMtuBytes(),
      requireReachable: (address) => this.#tunnels.requireReachable(address),
      serveFloating: () => this.#nft.sync(),
      restoreSenders: () => this.#senders.sync(),
    })
    this.addresses = addressManagement(this.#context)
    this.preparation = {
      prepare: (expected) => prepare(this.#context, expected),
      settle: (pod) => this.#context.early.settle(pod),
    }
    this.#repairs = new Repairs(deps.log)
    this.#nft = new NftTable({
      kernel: deps.kernel,
      pools: this.#sources.pools,
      onRepair: () => this.#repairs.note('nftables', { table: nftTable }),
    })
    this.#senders = new SenderTables({
      kernel: deps.kernel,
      onRepair: () => this.#repairs.note('nftables', { table: senderTable }),
    })
    this.#bird = new NodeBird(this.#sources, {
      reports,
      carried: () => this.#tunnels.carried,
      onChange: () => this.#parts.change('bird'),
    })
    const { kube, log, nodeName, paths } = deps
    this.#reporter = new StatusReporter({ kube, log, nodeName, birdSocket: paths.birdSocket })
    this.#tunnels = this.#createTunnels()
    this.#repair = this.#createRepair()
    this.#parts = new Parts(this.#upkeep(), deps.log)
  }

  async start(untilAborted: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([untilAborted, this.#stopping.signal])
    // Every watch listens to it for as long as it lasts.
    setMaxListeners(0, signal)
    const { kernel, kube, log } = this.#deps
    const { pools, affinities } = this.#sources
    await startSources(this.#sources, signal)
    await ensureDefaultPools({ kube, log, pools }, this.#settings)
    await this.#address.start(signal)
    await this.#repair.start()
    await this.#senders.sync()
    await this.#syncForwarding()
    await this.#parts.sync('tunnels')
    // First: a stray interface would be given back the route to an address that is another's.
    await this.#repair.removeStrays()
    await restoreHostInterfaces(kernel, log)
    await this.#context.early.resume()
    await completeClaims(this.#context, affinities)
    this.#unsubscribe = subscribe(this.#sources, this.#parts.change)
    // Not waited for: a cluster may lack the kind.
    void this.#reporter.start(signal)
    for (const part of ['bird', 'releases', 'handles'] as const) this.#parts.change(part)
    this.#context.handles.noteAll(this.#deps.nodeName)
    this.#parts.started()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#unsubscribe()
    this.#bird.stop()
    await Promise.all([
      this.#address.stop(),
      this.#repair.stop(),
      this.#parts.stop(),
      this.#context.early.stop(),
      this.#context.handles.stop(),
      this.#tunnels.stop(),
    ])
  }

  attach(request: AttachRequest<RoutedConfig>, signal: AbortSignal): Promise<CniResult> {
    return attach(this.#context, request, signal)
  }

  detach(ref: AttachmentRef<RoutedConfig>): Promise<void> {
    return detach(this.#context, ref).finally(() => this.#noteGone())
  }

  verify(ref: AttachmentRef<RoutedConfig>, result: CniResult) {
    return verify(this.#context, ref, result)
  }

  collectGarbage(valid: readonly AttachmentKey[]): Promise<void> {
    return collectGarbage(this.#context, valid).finally(() => this.#noteGone())
  }

  remove(): Promise<void> {
    return removeFromNode(this.#context)
  }

  status(): NetworkStatus {
    const { problems } = this.#parts
    return { isReady: problems.length === 0, problems }
  }

  impairments(): Promise<readonly string[]> {
    return this.#bird.impairments()
  }

  async gauges(): Promise<readonly NetworkGauge[]> {
    return [...(await this.#bird.gauges()), this.#repairs.gauge()]
  }

  prefixes(): Partial<ClusterPrefixes> {
    return clusterPrefixes(this.#sources.pools.list(), this.#deps.nodes.list())
  }

  /** What is done when pods have gone; nobody waits for it. */
  #noteGone(): void {
    this.#parts.change('releases')
    if (this.#nft.hasFloating) this.#parts.change('nft')
    void this.#tidySenders()
  }

  /** Of many pods at once, when nobody waits: what is left of them does nothing. */
  async #tidySenders(): Promise<void> {
    if (this.#isTidying) return
    this.#isTidying = true
    const { signal } = this.#stopping
    await this.#deps.calm.wait({ settleMs: 500, atMostMs: 10_000, signal }).catch(() => {})
    this.#isTidying = false
    if (!signal.aborted) this.#parts.change('senders')
  }

  /** The rules are there before anything is forwarded. */
  async #syncForwarding(): Promise<void> {
    await this.#nft.sync()
    await ensureForwarding(this.#deps.kernel, forwardedFamilies(this.#sources.pools.list()))
  }

  async #repairForwarding(): Promise<void> {
    const { kernel } = this.#deps
    const changed = await ensureForwarding(kernel, forwardedFamilies(this.#sources.pools.list()))
    if (changed.length > 0) this.#repairs.note('forwarding', { settings: changed })
  }

  #podMtuBytes(): number | undefined {
    const { mtuBytes } = this.#address
    return mtuBytes === undefined ? undefined : podMtuBytes(mtuBytes, this.#sources.pools.list())
  }

  #createTunnels(): Tunnels {
    return new Tunnels({
      context: this.#context,
      sources: this.#sources,
      address: this.#address,
      onChange: () => this.#parts.change('tunnels'),
      onCarried: () => this.#parts.change('bird'),
      onRepair: (done) => this.#repairs.note('tunnel', { done }),
    })
  }

  #createRepair(): NodeRepair {
    return new NodeRepair({
      context: this.#context,
      repairs: this.#repairs,
      nic: () => this.#address.interfaceName,
      onTunnels: () => this.#parts.change('tunnels'),
      onNft: () => {
        this.#nft.suspect()
        this.#parts.change('nft')
      },
      onSenders: () => this.#parts.change('senders'),
      onForwarding: () => this.#parts.change('forwarding'),
      onNic: () => {
        this.#parts.change('address')
        this.#parts.change('tunnels')
      },
    })
  }

  /** An address that waits for the API server is no reason to refuse pods, nor is an index of them. */
  #upkeep(): Record<Part, Upkeep> {
    const needed = (sync: () => Promise<void>): Upkeep => ({ sync, isNeededByPods: true })
    const useful = (sync: () => Promise<void>): Upkeep => ({ sync, isNeededByPods: false })
    const lostHandles = { ...this.#context, kube: this.#deps.kube }
    return {
      nft: needed(() => this.#syncForwarding()),
      forwarding: needed(() => this.#repairForwarding()),
      senders: needed(() => this.#senders.sync()),
      bird: needed(() => this.#bird.sync(this.#stopping.signal)),
      address: needed(() => this.#address.sync()),
      tunnels: needed(() => this.#tunnels.sync()),
      releases: useful(() => releasePending(this.#context)),
      handles: useful(() => noteLostHandles(lostHandles, this.#deps.nodeName)),
    }
  }
}
