import type { Log } from '../../../base/log.ts'
import type { Changing } from '../../../base/observable.ts'
import { waitFor } from '../../../base/observable.ts'
import { runAll } from '../../../base/undo.ts'
import type { Informer, KubeClient } from '../../../kube/api.ts'
import { createInformer } from '../../../kube/informer.ts'
import {
  type CalicoNodeStatus,
  type CalicoNodeStatusReport,
  calicoNodeStatuses,
  type NodeStatusClass,
} from '../resources.ts'

/** By which the requests of one purpose are found again. */
const purposeLabel = 'twinlane.io/status-request'

export interface StatusRequestOptions {
  readonly kube: KubeClient
  readonly log: Log
  /** Name of who asks; requests of the same purpose that were left over are replaced. */
  readonly purpose: string
  readonly nodes: readonly string[]
  readonly classes: readonly NodeStatusClass[]
}

/** Reports that the agents write on request, for as long as they are wanted. */
export class StatusRequest implements Changing {
  readonly #options: StatusRequestOptions
  readonly #informer: Informer<CalicoNodeStatus>
  readonly #life = new AbortController()

  private constructor(options: StatusRequestOptions) {
    this.#options = options
    const labelSelector = `${purposeLabel}=${options.purpose}`
    this.#informer = createInformer(options.kube, calicoNodeStatuses, { log: options.log, labelSelector })
  }

  static async open(options: StatusRequestOptions): Promise<StatusRequest> {
    const request = new StatusRequest(options)
    await request.#clear()
    await request.#informer.start(request.#life.signal)
    await Promise.all(options.nodes.map((node) => request.#ask(node)))
    return request
  }

  /** Of nodes that have answered. */
  reports(): Map<string, CalicoNodeStatusReport> {
    const { nodes } = this.#options
    const answered = this.#informer
      .list()
      .flatMap(({ spec, status }): [string, CalicoNodeStatusReport][] =>
        status?.lastUpdated === undefined || !nodes.includes(spec.node) ? [] : [[spec.node, status]],
      )
    return new Map(answered)
  }

  /** Nodes that have not answered yet. */
  silent(): string[] {
    const answered = this.reports()
    return this.#options.nodes.filter((node) => !answered.has(node))
  }

  /** Resolves when every node has answered. Throws TimeoutError naming those that have not. */
  async everyone(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    await waitFor(this, () => (this.silent().length === 0 ? true : undefined), {
      what: 'a report of every node',
      timeoutMs,
      signal,
      detail: () => `no report of ${this.silent().join(', ')}`,
    })
  }

  onChange(listener: () => void) {
    return this.#informer.onChange(listener)
  }

  async close(): Promise<void> {
    this.#life.abort()
    await this.#clear()
  }

  async #clear(): Promise<void> {
    const { kube, purpose } = this.#options
    const { items } = await kube.list(calicoNodeStatuses, { labelSelector: `${purposeLabel}=${purpose}` })
    await runAll(
      'delete requests for reports',
      items.map(
        ({ metadata }) =>
          () =>
            kube.delete(calicoNodeStatuses, metadata.name, { ignoreNotFound: true }),
      ),
    )
  }

  async #ask(node: string): Promise<void> {
    const { kube, purpose, classes, nodes } = this.#options
    await kube.create(calicoNodeStatuses, {
      metadata: { name: `${purpose}-${node}`, labels: { [purposeLabel]: purpose } },
      spec: { node, classes: [...classes], updatePeriodSeconds: periodSeconds(nodes.length) },
    })
  }
}

/** Twenty reports a second are no load for an API server; every second is often enough for a small cluster. */
function periodSeconds(count: number): number {
  return Math.max(1, Math.ceil(count / 20))
}
