import type { Probe } from 'kubernetes-types/core/v1.js'
import { systemClock } from '../../../base/clock.ts'
import type { ContainerRuntime } from '../runtime/runtime.ts'
import { checkProbe, type ProbeTarget } from './probe-check.ts'

type ProbeKind = 'Startup' | 'Readiness' | 'Liveness'

export interface ProbeListener {
  /** Readiness or start changed: the pod's status is to be written. */
  onChange(): void
  onUnhealthy(kind: ProbeKind, reason: string): void
  /** A startup or liveness probe has given up on the container. */
  onDead(kind: ProbeKind): void
}

interface Watched {
  readonly abort: AbortController
  isReady: boolean
  isStarted: boolean
}

/** The probes of all running containers, each asked in its own period. */
export class Probes {
  readonly #runtime: ContainerRuntime
  readonly #watched = new Map<string, Watched>()

  constructor(runtime: ContainerRuntime) {
    this.#runtime = runtime
  }

  /** Begins to probe a container that has just been seen running; does nothing the second time. */
  ensure(target: ProbeTarget, listener: ProbeListener): void {
    const { startupProbe, readinessProbe, livenessProbe } = target.container
    if (this.#watched.has(target.containerId)) return
    const watched: Watched = {
      abort: new AbortController(),
      isReady: readinessProbe === undefined && startupProbe === undefined,
      isStarted: startupProbe === undefined,
    }
    this.#watched.set(target.containerId, watched)
    if (startupProbe === undefined && readinessProbe === undefined && livenessProbe === undefined) return
    void this.#run(target, watched, listener).catch(() => {})
  }

  stop(containerId: string): void {
    this.#watched.get(containerId)?.abort.abort()
    this.#watched.delete(containerId)
  }

  stopAll(): void {
    for (const id of [...this.#watched.keys()]) this.stop(id)
  }

  isReady(containerId: string): boolean {
    return this.#watched.get(containerId)?.isReady ?? false
  }

  isStarted(containerId: string): boolean {
    return this.#watched.get(containerId)?.isStarted ?? false
  }

  async #run(target: ProbeTarget, watched: Watched, listener: ProbeListener): Promise<void> {
    const { startupProbe, readinessProbe, livenessProbe } = target.container
    if (startupProbe !== undefined) {
      const hasStarted = await this.#untilVerdict('Startup', startupProbe, { target, watched, listener })
      if (!hasStarted) return listener.onDead('Startup')
      watched.isStarted = true
      watched.isReady = readinessProbe === undefined
      listener.onChange()
    }
    await Promise.all([
      readinessProbe === undefined ? undefined : this.#watchReadiness(readinessProbe, { target, watched, listener }),
      livenessProbe === undefined ? undefined : this.#watchLiveness(livenessProbe, { target, watched, listener }),
    ])
  }

  async #watchReadiness(probe: Probe, context: ProbeContext): Promise<void> {
    for (;;) {
      const isReady = await this.#untilVerdict('Readiness', probe, context, context.watched.isReady)
      context.watched.isReady = isReady
      context.listener.onChange()
    }
  }

  async #watchLiveness(probe: Probe, context: ProbeContext): Promise<void> {
    await this.#untilVerdict('Liveness', probe, context, true)
    context.listener.onDead('Liveness')
  }

  /** Asks until the answer has been the other than `known` for as often as the thresholds say. Rejects when stopped. */
  async #untilVerdict(kind: ProbeKind, probe: Probe, context: ProbeContext, known?: boolean): Promise<boolean> {
    const { target, watched, listener } = context
    const { signal } = watched.abort
    let [successes, failures] = [0, 0]
    if (context.hasWaited !== true) await systemClock.sleep((probe.initialDelaySeconds ?? 0) * 1000, signal)
    context.hasWaited = true
    for (;;) {
      const problem = await checkProbe(probe, target, this.#runtime)
      signal.throwIfAborted()
      if (problem !== undefined) listener.onUnhealthy(kind, `${kind} probe failed: ${problem}`)
      successes = problem === undefined ? successes + 1 : 0
      failures = problem === undefined ? 0 : failures + 1
      if (known !== true && successes >= (probe.successThreshold ?? 1)) return true
      if (known !== false && failures >= (probe.failureThreshold ?? 3)) return false
      await systemClock.sleep((probe.periodSeconds ?? 10) * 1000, signal)
    }
  }
}

interface ProbeContext {
  target: ProbeTarget
  watched: Watched
  listener: ProbeListener
  /** The initial delay counts once. */
  hasWaited?: boolean
}
