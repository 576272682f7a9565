import { describeError } from '../../../base/errors.ts'
import { backoffMs } from '../../../base/retry.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { Transaction } from '../../../ovsdb/transaction.ts'
import type { NorthboundTables } from '../tables/northbound.ts'
import type { ClusterContext } from './context.ts'
import { PodAnnotations } from './pod-annotation.ts'
import { networkKey, PodPlaces, podKey, type Wanted } from './pod-places.ts'
import { planPort, planRemoval } from './pod-port-plan.ts'
import type { PodPlace } from './pod-rows.ts'
import { isLive } from './select-pods.ts'

/**
 * Logical ports, addresses and annotations of the pods that ask for the cluster network. Pods that come while a
 * transaction is under way go together into the next one, because northd computes once a transaction.
 */
export class PodPorts {
  readonly #context: ClusterContext
  readonly #places: PodPlaces
  readonly #dirty = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #annotations: PodAnnotations
  #round: Promise<void> | undefined
  #isReady = false

  constructor(context: ClusterContext) {
    this.#context = context
    this.#places = new PodPlaces(context)
    this.#annotations = new PodAnnotations(context, networkKey)
  }

  /** Takes in what pods and database say already, before anything new is given out, and then works on every pod. */
  start(): void {
    this.#places.adoptAll()
    this.#isReady = true
    this.resync()
  }

  /** Looks at all pods again, and at ports whose pod is gone. */
  resync(): void {
    this.#places.takeSubnets()
    for (const pod of this.#context.pods.list()) this.add(podKey(pod))
    for (const key of this.#places.keys()) this.add(key)
    for (const port of this.#context.northbound.view.ofScope('Logical_Switch_Port', 'pod')) {
      this.add(String(port.name).replace('_', '/'))
    }
  }

  /** Looks again at pods that are to lose their port once OVN has it no longer bound. */
  recheck(): void {
    for (const key of [...this.#places.held()]) this.add(key)
  }

  /** `namespace/name` of a pod that may have changed. */
  add(key: string): void {
    this.#dirty.add(key)
    if (this.#isReady) this.#round ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#isReady = false
    this.#annotations.stop()
    for (const timer of this.#timers) clearTimeout(timer)
    await this.#round
  }

  async #run(): Promise<void> {
    // One turn of the event loop: events of one read of the watch come together.
    await new Promise<void>((resolve) => setImmediate(resolve))
    for (let keys = this.#takeDirty(); keys.length > 0 && this.#isReady; keys = this.#takeDirty()) {
      await this.#work(keys)
    }
    this.#round = undefined
  }

  /** Nothing is decided about a pod whose annotation is under way. */
  #takeDirty(): string[] {
    const keys = [...this.#dirty].filter((key) => !this.#annotations.isUnderWay(key))
    for (const key of keys) this.#dirty.delete(key)
    return keys
  }

  /** When the whole transaction fails, each pod by itself: one bad pod does not hold up the others. */
  async #work(keys: readonly string[]): Promise<void> {
    try {
      await this.#write(keys)
      for (const key of keys) this.#failures.delete(key)
    } catch (error) {
      this.#context.log.warn({ keys, error: describeError(error) }, 'logical ports of pods not written')
      if (keys.length > 1) for (const key of keys) await this.#work([key])
      else for (const key of keys) this.#retry(key)
    }
  }

  async #write(keys: readonly string[]): Promise<void> {
    const gone: PodPlace[] = []
    const wanted: Wanted[] = []
    await this.#context.northbound.write((transaction) => {
      for (const key of keys) {
        const found = this.#plan(key, transaction, gone)
        if (found !== undefined) wanted.push(found)
      }
    })
    for (const place of gone) this.#places.release(place)
    if (gone.length > 0) for (const key of this.#places.refused()) this.add(key)
    for (const item of wanted) void this.#annotate(item)
  }

  #plan(key: string, transaction: Transaction<NorthboundTables>, gone: PodPlace[]): Wanted | undefined {
    const { northbound, natAddressOf } = this.#context
    const pod = this.#findPod(key)
    const wanted = this.#places.want(key, pod)
    if (wanted?.place !== undefined) {
      planPort(northbound.view, wanted.place, natAddressOf(wanted.place.node), transaction)
      return wanted
    }
    const place = this.#places.find(key)
    if (place !== undefined) gone.push(place)
    const [namespace = '', name = ''] = key.split('/')
    planRemoval(northbound.view, { namespace, name, address: place?.address }, transaction)
    return wanted
  }

  async #annotate({ pod, network }: Wanted): Promise<void> {
    if (network === undefined) return
    const key = podKey(pod)
    try {
      await this.#annotations.write(pod, network)
    } catch (error) {
      this.#context.log.warn({ pod: key, error: describeError(error) }, 'pod annotation not written')
      this.#retry(key)
    } finally {
      if (this.#dirty.has(key)) this.add(key)
    }
  }

  #retry(key: string): void {
    if (!this.#isReady) return
    const attempt = this.#failures.get(key) ?? 0
    this.#failures.set(key, attempt + 1)
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        this.add(key)
      },
      backoffMs(attempt, 50),
    )
    this.#timers.add(timer)
  }

  #findPod(key: string): PodResource | undefined {
    const [namespace, name = ''] = key.split('/')
    const pod = this.#context.pods.get(name, namespace)
    return pod !== undefined && isLive(pod) ? pod : undefined
  }
}
