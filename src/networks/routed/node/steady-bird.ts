import { type Clock, systemClock } from '../../../base/clock.ts'
import { describeError } from '../../../base/errors.ts'
import { KeyedLock } from '../../../base/keyed-lock.ts'
import type { Log } from '../../../base/log.ts'
import type { BirdConfig } from '../../../bird/config.ts'
import { queryBird } from '../../../bird/control.ts'
import { renderBirdConfig } from '../../../bird/render.ts'
import { type BirdRoute, parseRoutes } from '../../../bird/routes.ts'
import { holdRoutes, losesSessions, stillMissing } from '../bgp/hold-routes.ts'
import { BirdFile } from './bird-file.ts'

export interface SteadyBirdOptions {
  readonly configFile: string
  readonly socket: string
  readonly log: Log
  readonly clock?: Clock
}

/** How long routes outlive the sessions that brought them. Then the peers are gone and the routes lead nowhere. */
const holdMs = 10_000

/** BIRD tells nobody of a new route, so it is asked. */
const askEveryMs = 100

/**
 * Keeps one running BIRD at a configuration. When a change takes sessions away, what the peers had announced is held
 * as static routes of low preference until the sessions that remain, or come, announce it again: no packet is lost
 * when a mesh becomes route reflectors, whatever the order of the steps.
 */
export class SteadyBird {
  readonly #file: BirdFile
  readonly #options: SteadyBirdOptions
  readonly #clock: Clock
  readonly #turns = new KeyedLock()
  #wanted: BirdConfig | undefined
  #held: readonly BirdRoute[] = []
  #holdUntil = 0
  #watching: Promise<void> | undefined

  constructor(options: SteadyBirdOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#file = new BirdFile(options)
  }

  /** Throws BirdError; then BIRD is as before. */
  apply(config: BirdConfig, signal: AbortSignal): Promise<void> {
    return this.#turns.run('apply', () => this.#apply(config, signal))
  }

  async #apply(config: BirdConfig, signal: AbortSignal): Promise<void> {
    if (this.#wanted !== undefined && losesSessions(this.#wanted, config)) await this.#hold(this.#wanted, signal)
    await this.#write(config)
    this.#wanted = config
  }

  /** Routes that are held already stay as they are: what BIRD has of them now may be itself held. */
  async #hold(before: BirdConfig, signal: AbortSignal): Promise<void> {
    const known = new Set(this.#held.map(({ destination }) => destination))
    const announced = await this.#announced()
    this.#held = [...this.#held, ...announced.filter(({ destination }) => !known.has(destination))]
    this.#holdUntil = this.#clock.now() + holdMs
    await this.#write(before)
    this.#watching ??= this.#watch(signal).finally(() => {
      this.#watching = undefined
    })
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      let missing = this.#held
      while (missing.length > 0 && this.#clock.now() < this.#holdUntil) {
        await this.#clock.sleep(askEveryMs, signal)
        missing = stillMissing(this.#held, await this.#announced())
      }
      await this.#turns.run('apply', () => this.#release(missing))
    } catch (error) {
      if (!signal.aborted) this.#options.log.warn({ error: describeError(error) }, 'routes are held for longer')
    }
  }

  async #release(missing: readonly BirdRoute[]): Promise<void> {
    const networks = missing.map(({ destination }) => destination)
    if (missing.length > 0) this.#options.log.warn({ networks }, 'no peer announces these networks any more')
    this.#held = []
    if (this.#wanted !== undefined) await this.#write(this.#wanted)
  }

  /** The routes in use that peers have announced. */
  async #announced(): Promise<BirdRoute[]> {
    return parseRoutes(await queryBird(this.#options.socket, 'show route primary where source = RTS_BGP'))
  }

  #write(config: BirdConfig): Promise<void> {
    return this.#file.apply(renderBirdConfig(holdRoutes(config, this.#held)))
  }
}
