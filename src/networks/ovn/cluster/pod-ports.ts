import { describeError } from '../../../base/errors.ts'
import { backoffMs } from '../../../base/retry.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { Transaction } from '../../../ovsdb/transaction.ts'
import type { NorthboundTables } from '../tables/northbound.ts'
import type { ClusterContext } from './context.ts'
import { Pace } from './pace.ts'
import { type NetworkChanges, PodAnnotations } from './pod-annotation.ts'
import { podKey } from './pod-places.ts'
import type { PodPlan, PodPlanner } from './pod-planner.ts'
import { isLive } from './select-pods.ts'

/**
 * Logical ports, addresses and annotations of pods, as the networks' planners want them. Pods that come while a
 * transaction is under way go together into the next one, because northd computes once a transaction; so do all
 * networks of a pod, and its annotation is written once.
 */
export class PodPorts {
  readonly #context: ClusterContext
  readonly #planners: readonly PodPlanner[]
  readonly #dirty = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #annotations: PodAnnotations
  #round: Promise<void> | undefined
  readonly #pace = new Pace()
  #isReady = false

  constructor(context: ClusterContext, planners: readonly PodPlanner[]) {
    this.#context = context
    this.#planners = planners
    this.#annotations = new PodAnnotations(context)
  }

  /** Takes in what pods and database say already, before anything new is given out, and then works on every pod. */
  start(): void {
    for (const planner of this.#planners) planner.adoptAll()
    this.#isReady = true
    this.resync()
  }

  /** Looks at all pods again, and at ports whose pod is gone. */
  resync(): void {
    for (const planner of this.#planners) planner.refresh()
    for (const pod of this.#context.pods.list()) this.add(podKey(pod))
    for (const planner of this.#planners) for (const key of planner.keys()) this.add(key)
  }

  /** Looks again at pods that are to lose their port once OVN has it no longer bound. */
  recheck(): void {
    for (const planner of this.#planners) for (const key of [...planner.held()]) this.add(key)
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
    await this.#pace.wait()
    for (let keys = this.#takeDirty(); keys.length > 0 && this.#isReady; keys = this.#takeDirty()) {
      await this.#work(keys)
      await this.#pace.wait()
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
    let planned: { pod: PodResource | undefined; plans: PodPlan[] }[] = []
    const isWritten = await this.#context.northbound.write((transaction) => {
      planned = keys.map((key) => this.#plan(key, transaction))
    })
    if (isWritten) this.#pace.written(keys.length)
    const again = planned.flatMap(({ plans }) => plans.flatMap((plan) => [...plan.settle()]))
    for (const key of again) this.add(key)
    for (const { pod, plans } of planned) {
      const networks = Object.assign({}, ...plans.map((plan) => plan.networks)) as NetworkChanges
      if (pod !== undefined && Object.keys(networks).length > 0) void this.#annotate(pod, networks)
    }
  }

  #plan(key: string, transaction: Transaction<NorthboundTables>): { pod: PodResource | undefined; plans: PodPlan[] } {
    const pod = this.#findPod(key)
    return { pod, plans: this.#planners.map((planner) => planner.plan(key, pod, transaction)) }
  }

  async #annotate(pod: PodResource, networks: NetworkChanges): Promise<void> {
    const key = podKey(pod)
    try {
      await this.#annotations.write(pod, networks)
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
