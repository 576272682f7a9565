import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { KubeClient } from '../../../../kube/api.ts'
import { isAlreadyExists, isConflict } from '../../../../kube/errors.ts'
import { type ConfigMapResource, configMaps } from '../../../../kube/resources/core.ts'
import { MigrationError, type MigrationStep, type MigrationTarget } from './plan.ts'

export const recordName = 'twinlane-bgp-migration'
export const recordNamespace = 'kube-system'

/** What a run that comes after one that was killed must know. */
export interface MigrationState {
  readonly target: MigrationTarget
  readonly steps: readonly MigrationStep[]
  /** How many steps have been begun; all but the last of them are done. */
  readonly begun: number
  readonly phase: 'forward' | 'restoring'
  /** Who is at work, for the message to somebody else. */
  readonly holder: string
  readonly holderId: string
  /** RFC 3339. */
  readonly renewedAt: string
}

/** A run that has not said anything for so long is dead. */
const staleMs = 20_000
const renewEveryMs = 5000

/**
 * The migration that is under way, as a ConfigMap: there is one at most, one run at a time works on it, and every
 * change of it is compare-and-swap.
 */
export class MigrationRecord {
  readonly #kube: KubeClient
  #object: ConfigMapResource
  #state: MigrationState
  #writing: Promise<void> = Promise.resolve()
  readonly #timer: NodeJS.Timeout

  private constructor(kube: KubeClient, object: ConfigMapResource, state: MigrationState) {
    this.#kube = kube
    this.#object = object
    this.#state = state
    this.#timer = setInterval(() => void this.save({}).catch(() => {}), renewEveryMs)
    this.#timer.unref()
  }

  /** Throws MigrationError when there is one already. */
  static async create(
    kube: KubeClient,
    content: Pick<MigrationState, 'target' | 'steps' | 'begun' | 'phase'>,
  ): Promise<MigrationRecord> {
    const state = { ...content, ...self() }
    try {
      const metadata = { name: recordName, namespace: recordNamespace }
      return new MigrationRecord(kube, await kube.create(configMaps, withState({ metadata }, state)), state)
    } catch (error) {
      if (isAlreadyExists(error)) throw new MigrationError('another migration has just begun')
      throw error
    }
  }

  /** Takes over what a dead run has left; undefined when there is nothing. Throws MigrationError when a run is alive. */
  static async takeOver(kube: KubeClient): Promise<MigrationRecord | undefined> {
    const object = await kube.find(configMaps, recordName, recordNamespace)
    if (object === undefined) return undefined
    const found = stateOf(object)
    const silentMs = Date.now() - Date.parse(found.renewedAt)
    if (silentMs < staleMs) throw alive(found)
    const record = new MigrationRecord(kube, object, found)
    await record.save(self())
    return record
  }

  get state(): MigrationState {
    return this.#state
  }

  /** Rejects with MigrationError when another run has taken over. */
  save(change: Partial<MigrationState>): Promise<void> {
    const next = this.#writing.then(() => this.#save(change))
    this.#writing = next.catch(() => {})
    return next
  }

  async remove(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
    await this.#kube.delete(configMaps, recordName, { namespace: recordNamespace, ignoreNotFound: true })
  }

  /** Leaves the record to a later run. */
  abandon(): void {
    clearInterval(this.#timer)
  }

  async #save(change: Partial<MigrationState>): Promise<void> {
    const state = { ...this.#state, ...change, renewedAt: new Date().toISOString() }
    try {
      this.#object = await this.#kube.update(configMaps, withState(this.#object, state))
      this.#state = state
    } catch (error) {
      if (isConflict(error)) throw new MigrationError('another run has taken over this migration')
      throw error
    }
  }
}

function self(): Pick<MigrationState, 'holder' | 'holderId' | 'renewedAt'> {
  return { holder: `${hostname()}, PID ${process.pid}`, holderId: randomUUID(), renewedAt: new Date().toISOString() }
}

function withState(object: ConfigMapResource, state: MigrationState): ConfigMapResource {
  return { ...object, data: { state: JSON.stringify(state) } }
}

/** Throws MigrationError. */
export function stateOf(object: ConfigMapResource): MigrationState {
  try {
    return JSON.parse(object.data?.state ?? '') as MigrationState
  } catch (cause) {
    throw new MigrationError(`ConfigMap ${recordNamespace}/${recordName} is no record of a migration`, {
      cause,
      fix: 'look at the BGPPeers and nodes yourself, then delete it',
    })
  }
}

function alive({ holder, target }: MigrationState): MigrationError {
  return new MigrationError(`a migration to ${target.to} is under way (${holder})`, {
    fix: `wait for it; a run that was killed is given up after ${staleMs / 1000} seconds`,
  })
}
