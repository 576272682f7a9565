import { type Clock, systemClock } from '../../../base/clock.ts'
import { describeError } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import type { Unsubscribe } from '../../../base/observable.ts'
import { BirdError, queryBird } from '../../../bird/control.ts'
import { parseProtocols } from '../../../bird/protocols.ts'
import { parseRoutes } from '../../../bird/routes.ts'
import { parseStatus } from '../../../bird/status.ts'
import type { Informer, KubeClient } from '../../../kube/api.ts'
import { isNotFound } from '../../../kube/errors.ts'
import { createInformer } from '../../../kube/informer.ts'
import { type BirdFacts, buildNodeStatus } from '../bgp/node-status.ts'
import { type CalicoNodeStatus, calicoNodeStatuses } from '../resources.ts'

export interface StatusReporterOptions {
  readonly kube: KubeClient
  readonly nodeName: string
  readonly birdSocket: string
  readonly log: Log
  readonly clock?: Clock
}

/** Writes the CalicoNodeStatuses that ask about this node: at once, then every `updatePeriodSeconds` of each. */
export class StatusReporter {
  readonly #options: StatusReporterOptions
  readonly #clock: Clock
  readonly #wanted: Informer<CalicoNodeStatus>
  /** By name and generation: a request that is changed is a new one. */
  readonly #running = new Map<string, AbortController>()
  #unsubscribe: Unsubscribe = () => {}

  constructor(options: StatusReporterOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    // Of other nodes' reports, which may be large, only that they exist is kept.
    const transform = (object: CalicoNodeStatus): CalicoNodeStatus => {
      const { metadata, spec } = object
      return { metadata: { ...metadata, managedFields: [] }, spec }
    }
    this.#wanted = createInformer(options.kube, calicoNodeStatuses, { log: options.log, transform })
  }

  /** Resolves when the requests are known, or when the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#wanted.start(signal).catch(() => {})
    if (signal.aborted) return
    this.#unsubscribe = this.#wanted.onChange(() => this.#follow())
    this.#follow()
    signal.addEventListener('abort', () => this.stop(), { once: true })
  }

  stop(): void {
    this.#unsubscribe()
    for (const [key, life] of this.#running) {
      this.#running.delete(key)
      life.abort()
    }
  }

  #follow(): void {
    const own = this.#wanted.list().filter(({ spec }) => spec.node === this.#options.nodeName)
    const wanted = new Map(own.map((object) => [keyOf(object), object]))
    for (const [key, life] of this.#running) {
      if (wanted.has(key)) continue
      this.#running.delete(key)
      life.abort()
    }
    for (const [key, object] of wanted) {
      if (this.#running.has(key)) continue
      const life = new AbortController()
      this.#running.set(key, life)
      void this.#keepReporting(object, life.signal)
    }
  }

  async #keepReporting(object: CalicoNodeStatus, signal: AbortSignal): Promise<void> {
    const periodMs = object.spec.updatePeriodSeconds * 1000
    while (!signal.aborted) {
      await this.#report(object).catch((error) => {
        if (isNotFound(error) || signal.aborted) return
        this.#options.log.warn(
          { report: object.metadata.name, error: describeError(error) },
          'could not write a report',
        )
      })
      if (periodMs === 0) return
      await this.#clock.sleep(periodMs, signal).catch(() => {})
    }
  }

  async #report({ metadata, spec }: CalicoNodeStatus): Promise<void> {
    const facts = await askBird(this.#options.birdSocket, spec.classes.includes('Routes'))
    const status = buildNodeStatus(spec.classes, facts, new Date(this.#clock.now()).toISOString())
    const body = { metadata: { uid: metadata.uid }, status }
    await this.#options.kube.patch(
      calicoNodeStatuses,
      metadata.name,
      { type: 'merge', body },
      { subresource: 'status' },
    )
  }
}

function keyOf({ metadata }: CalicoNodeStatus): string {
  return `${metadata.uid} ${metadata.generation}`
}

/** A daemon that does not answer is a fact, too. */
async function askBird(socket: string, withRoutes: boolean): Promise<BirdFacts> {
  try {
    return {
      daemon: parseStatus(await queryBird(socket, 'show status')),
      protocols: parseProtocols(await queryBird(socket, 'show protocols all')),
      routes: withRoutes ? parseRoutes(await queryBird(socket, 'show route')) : [],
    }
  } catch (error) {
    if (!(error instanceof BirdError)) throw error
    return { daemon: undefined, protocols: [], routes: [] }
  }
}
