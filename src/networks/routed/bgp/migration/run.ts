import { describeError } from '../../../../base/errors.ts'
import type { Log } from '../../../../base/log.ts'
import type { KubeClient } from '../../../../kube/api.ts'
import { MigrationError, type MigrationStep, type MigrationTarget, planMigration } from './plan.ts'
import { MigrationRecord } from './record.ts'
import { applyChange, bgpNodesOf, invertChange, type Topology } from './topology.ts'
import { NetworkWatch } from './watch-network.ts'
import { endHold, loadTopology, startHold, writeChange } from './write.ts'

export interface MigrationOptions {
  readonly kube: KubeClient
  readonly log: Log
  /** How long a step may take until every session and route is there. */
  readonly timeoutMs: number
  /** Nodes that are down, or not to be waited for. */
  readonly skippedNodes: readonly string[]
  /** Told of each step. */
  readonly say: (line: string) => void
}

/**
 * Brings the cluster's BGP from what there is to the target, make-before-break: a step is done when every node has all
 * its sessions and every block through them, and none is begun that would take away the only way to something. What
 * fails, or is aborted, is taken back. Continues what a run before this one has left. Throws MigrationError.
 */
export async function runMigration(
  target: MigrationTarget,
  options: MigrationOptions,
  signal: AbortSignal,
): Promise<void> {
  const left = await MigrationRecord.takeOver(options.kube)
  if (left !== undefined) return continueRun(left, target, options, signal)
  const topology = await loadTopology(options.kube)
  const steps = planMigration(topology, target)
  if (steps.length === 0) return options.say(`The topology is ${target.to} already.`)
  const record = await MigrationRecord.create(options.kube, { target, steps, begun: 0, phase: 'forward' })
  await new Migration(record, options).forward(signal)
}

/** Takes back what a run that was killed has done. Throws MigrationError when there is nothing. */
export async function abortMigration(options: MigrationOptions, signal: AbortSignal): Promise<void> {
  const record = await MigrationRecord.takeOver(options.kube)
  if (record === undefined) throw new MigrationError('no migration is under way')
  await new Migration(record, options).backward(signal)
}

async function continueRun(
  record: MigrationRecord,
  target: MigrationTarget,
  options: MigrationOptions,
  signal: AbortSignal,
): Promise<void> {
  const { state } = record
  if (state.phase === 'restoring') {
    options.say(`An earlier migration to ${state.target.to} was being taken back; going on with that.`)
    await new Migration(record, options).backward(signal)
    throw new MigrationError('the earlier migration is taken back', { fix: 'run the same command again for a new one' })
  }
  if (JSON.stringify(state.target) !== JSON.stringify(target)) {
    record.abandon()
    throw new MigrationError(`a migration to ${state.target.to} was begun and not finished`, {
      fix: 'finish it by the same command, or take it back: twinlane bgp migrate --abort',
    })
  }
  options.say(`Going on after step ${Math.max(state.begun - 1, 0)} of ${state.steps.length}.`)
  await new Migration(record, options).forward(signal)
}

class Migration {
  readonly #record: MigrationRecord
  readonly #options: MigrationOptions

  constructor(record: MigrationRecord, options: MigrationOptions) {
    this.#record = record
    this.#options = options
  }

  async forward(signal: AbortSignal): Promise<void> {
    const { kube } = this.#options
    const watch = await this.#openWatch(signal)
    try {
      await startHold(kube, this.#holdSeconds(), this.#record.state.holderId)
      await this.#takeSteps(watch, signal)
      await this.#finish()
    } catch (error) {
      await this.#takeBack(watch, error)
    } finally {
      await watch.close()
    }
  }

  /** Takes everything back; with nodes that do not report, without looking. */
  async backward(signal: AbortSignal): Promise<void> {
    const watch = await this.#open(signal).catch((error) => {
      this.#options.say(`Not looking at the result: ${describeError(error)}`)
      return undefined
    })
    try {
      await this.#undo(watch)
    } finally {
      await watch?.close()
    }
  }

  async #takeSteps(watch: NetworkWatch, signal: AbortSignal): Promise<void> {
    const { steps, begun } = this.#record.state
    if (begun === 0) await this.#requireHealth(watch, signal)
    for (const [index, step] of steps.entries()) {
      if (index + 1 < begun) continue
      this.#options.say(`Step ${index + 1} of ${steps.length}: ${step.title}`)
      await this.#takeStep({ step, index, watch }, signal)
    }
  }

  async #requireHealth(watch: NetworkWatch, signal: AbortSignal): Promise<void> {
    this.#options.say('Looking at the sessions and routes there are')
    try {
      await watch.complete(await loadTopology(this.#options.kube), [], signal)
    } catch (cause) {
      throw new MigrationError(`not everything is well before the migration: ${describeError(cause)}`, {
        cause,
        fix: 'mend that first; a node that is down can be left out with --skip-node',
      })
    }
  }

  async #takeStep(
    { step, index, watch }: { step: MigrationStep; index: number; watch: NetworkWatch },
    signal: AbortSignal,
  ): Promise<void> {
    const { kube } = this.#options
    const before = await loadTopology(kube)
    const after = step.changes.reduce<Topology>(applyChange, before)
    await watch.covered(after, signal)
    await watch.held(signal)
    await this.#record.save({ begun: index + 1 })
    for (const change of step.changes) await writeChange(kube, change)
    await watch.complete(after, step.through, signal)
  }

  async #takeBack(watch: NetworkWatch, error: unknown): Promise<never> {
    const cause = describeError(error)
    this.#options.say(`Failed: ${cause}`)
    try {
      await this.#undo(watch)
    } catch (failure) {
      throw new MigrationError(`${cause}; and taking it back failed: ${describeError(failure)}`, {
        cause: failure,
        fix: 'run twinlane bgp migrate --abort when the API server answers',
      })
    }
    throw new MigrationError(`${cause}; everything is as it was before`, { cause: error })
  }

  /** The last first; before what is new goes, what is old is waited for. */
  async #undo(watch: NetworkWatch | undefined): Promise<void> {
    const { kube, say, timeoutMs } = this.#options
    const { steps, begun } = this.#record.state
    await this.#record.save({ phase: 'restoring' })
    for (const [index, step] of steps.slice(0, begun).reverse().entries()) {
      say(`Taking back step ${begun - index}: ${step.title}`)
      for (const change of [...step.changes].reverse()) await writeChange(kube, invertChange(change))
      await watch?.complete(await loadTopology(kube), [], AbortSignal.timeout(timeoutMs)).catch((error) => {
        say(`Not complete yet: ${describeError(error)}`)
      })
    }
    await this.#finish()
  }

  async #finish(): Promise<void> {
    await endHold(this.#options.kube)
    await this.#record.remove()
  }

  async #openWatch(signal: AbortSignal): Promise<NetworkWatch> {
    try {
      return await this.#open(signal)
    } catch (cause) {
      // Nothing was done: nothing is to be taken back.
      if (this.#record.state.begun === 0) await this.#record.remove()
      else this.#record.abandon()
      throw new MigrationError(`cannot look at all nodes: ${describeError(cause)}`, {
        cause,
        fix: 'a node that is down can be left out with --skip-node',
      })
    }
  }

  async #open(signal: AbortSignal): Promise<NetworkWatch> {
    const { kube, log, timeoutMs, skippedNodes } = this.#options
    const nodes = bgpNodesOf(await loadTopology(kube)).map(({ name }) => name)
    const watched = nodes.filter((name) => !skippedNodes.includes(name))
    return NetworkWatch.open({ kube, log, timeoutMs, nodes: watched }, signal)
  }

  /** Long enough for a step that fails, and for taking it back. */
  #holdSeconds(): number {
    return Math.ceil((3 * this.#options.timeoutMs) / 1000)
  }
}
