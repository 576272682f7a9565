import type { Metric } from 'prom-client'
import { withDeadline } from '../../../base/clock.ts'
import { describeError } from '../../../base/errors.ts'
import type { Unsubscribe } from '../../../base/observable.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import type { CniResult } from '../../../cni/result.ts'
import type {
  AttachmentKey,
  AttachmentRef,
  AttachRequest,
  ClusterPrefixes,
  NetworkStatus,
  NodeDeps,
  NodeSide,
  Problem,
} from '../../driver.ts'
import { nodeAnnotation } from '../annotations.ts'
import type { OvnConfig, OvnSettings } from '../config.ts'
import { gatewayBridge, integrationBridge, managementPort, patchPort } from '../topology/names.ts'
import { attachPod } from './attach.ts'
import { AttachLog } from './attach-log.ts'
import { AttachMetrics } from './attach-metrics.ts'
import type { NodeContext } from './context.ts'
import { collectPods, detachPod } from './detach.ts'
import { watchNic } from './gateway/nic-watch.ts'
import { LocalSwitch } from './local-switch.ts'
import { NodeSetup } from './node-setup.ts'
import { removeNode } from './remove.ts'
import { verifyPod } from './verify.ts'

const removeTimeoutMs = 10_000

/** The agent's side of the OVN network. */
export function ovnNodeSide(settings: OvnSettings, deps: NodeDeps): NodeSide<OvnConfig> {
  return new OvnNodeSide(settings, deps)
}

class OvnNodeSide implements NodeSide<OvnConfig> {
  readonly #context: NodeContext
  readonly #setup: NodeSetup
  readonly #queue: Workqueue
  /** Ends what is waiting; the database stays connected until what was begun is undone. */
  readonly #stop = new AbortController()
  readonly #disconnect = new AbortController()
  #subscriptions: Unsubscribe[] = []
  #running: Promise<void> = Promise.resolve()
  #problem: string | undefined
  #seen = ''
  #isReconciling = false

  constructor(settings: OvnSettings, deps: NodeDeps) {
    const { log } = deps
    const local = new LocalSwitch({ socket: deps.paths.ovsdbSocket, datapathType: settings.datapathType, log })
    this.#context = {
      ...deps,
      log,
      settings,
      local,
      attachMetrics: new AttachMetrics(),
      attachLog: new AttachLog(log),
    }
    this.#setup = new NodeSetup(this.#context, () => this.#queue.add('node'))
    this.#queue = new Workqueue({ name: 'ovn-node', reconcile: () => this.#reconcile(), log, maxDelayMs: 5000 })
  }

  /** Resolves at once: a node whose Open vSwitch or controller is late still serves its other networks. */
  async start(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => void this.stop(), { once: true, signal: this.#disconnect.signal })
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#context.log.error({ error: describeError(error) }, 'OVN network not served')
    })
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions) unsubscribe()
    this.#stop.abort()
    await this.#queue.stop()
    this.#disconnect.abort()
    await this.#context.local.client.stop()
    await this.#setup.stop()
    await this.#running
  }

  /** On a side that was not started. Throws TimeoutError when Open vSwitch cannot be asked; a CombinedError of the rest. */
  async remove(signal: AbortSignal): Promise<void> {
    const { local } = this.#context
    const stop = AbortSignal.any([signal, this.#disconnect.signal])
    const what = 'Open vSwitch: without it the NIC in its bridge cannot be put back'
    try {
      await withDeadline(local.start(stop), { what, timeoutMs: removeTimeoutMs, signal })
      await removeNode(this.#context)
    } finally {
      this.#disconnect.abort()
      await local.client.stop()
    }
  }

  attach(request: AttachRequest<OvnConfig>, signal: AbortSignal): Promise<CniResult> {
    return attachPod(this.#context, request, AbortSignal.any([signal, this.#stop.signal]))
  }

  async detach(ref: AttachmentRef<OvnConfig>): Promise<void> {
    const startedAt = performance.now()
    const { attachLog } = this.#context
    try {
      await detachPod(this.#context, ref)
      attachLog.write(ref, { verb: 'DEL', ms: performance.now() - startedAt })
    } catch (error) {
      attachLog.write(ref, { verb: 'DEL', ms: performance.now() - startedAt, error })
      throw error
    }
  }

  verify(ref: AttachmentRef<OvnConfig>, result: CniResult): Promise<Problem[]> {
    return verifyPod(this.#context, ref, result)
  }

  collectGarbage(valid: readonly AttachmentKey[]): Promise<void> {
    return collectPods(this.#context, valid)
  }

  metrics(): readonly Metric[] {
    return this.#context.attachMetrics.all
  }

  status(): NetworkStatus {
    const { client } = this.#context.local
    const disconnected = client.isConnected ? undefined : 'Open vSwitch is not running on this node'
    const problems = [disconnected, this.#problem, this.#setup.missing].filter((text) => text !== undefined)
    return { isReady: problems.length === 0, problems }
  }

  prefixes(): Partial<ClusterPrefixes> {
    const { netCidrs, svcCidrs } = this.#context.settings
    return { pods: netCidrs, services: svcCidrs }
  }

  async #run(): Promise<void> {
    await this.#context.local.start(this.#disconnect.signal)
    const { local, nodes } = this.#context
    this.#subscriptions = [nodes.onChange(() => this.#changed()), local.client.onChange(() => this.#changed())]
    this.#queue.add('node')
    const { settings, kernel } = this.#context
    const { gatewayInterface: uplink } = settings
    if (uplink !== undefined) await watchNic(kernel, uplink, () => this.#queue.add('node'), this.#stop.signal)
  }

  /** Pods come and go in the same tables; only what concerns the node itself starts a round. */
  #changed(): void {
    if (this.#isReconciling || this.#facts() === this.#seen) return
    this.#seen = this.#facts()
    this.#queue.add('node')
  }

  #facts(): string {
    const { local, nodes, nodeName, settings } = this.#context
    const node = nodes.get(nodeName)
    const uplink = settings.gatewayInterface
    const ports = uplink === undefined ? [] : [uplink, patchPort(gatewayBridge(uplink), nodeName)]
    return JSON.stringify([
      local.client.isConnected,
      node?.metadata.annotations?.[nodeAnnotation.subnets],
      node?.status?.addresses,
      nodes.list().map(({ metadata }) => metadata.annotations?.[nodeAnnotation.gateway]),
      local.root?.external_ids,
      local.bridge(integrationBridge)?._uuid,
      local.interface(managementPort),
      ports.map((name) => [local.port(name)?._uuid, local.ofport(name)]),
    ])
  }

  async #reconcile(): Promise<void> {
    this.#isReconciling = true
    const before = this.#facts()
    try {
      await this.#setup.ensure(this.#stop.signal)
      this.#problem = undefined
      this.#seen = before
    } catch (error) {
      this.#problem = describeError(error)
      // What the round itself changed and took back must not start the next one at once: the queue's back-off does.
      this.#seen = this.#facts()
      throw error
    } finally {
      this.#isReconciling = false
    }
    this.#changed()
  }
}
