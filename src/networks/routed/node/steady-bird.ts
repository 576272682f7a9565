import { isDeepStrictEqual } from 'node:util'
import { type Clock, systemClock } from '../../../base/clock.ts'
import { describeError } from '../../../base/errors.ts'
import { KeyedLock } from '../../../base/keyed-lock.ts'
import type { Log } from '../../../base/log.ts'
import type { BirdConfig } from '../../../bird/config.ts'
import { queryBird } from '../../../bird/control.ts'
import { renderBirdConfig } from '../../../bird/render.ts'
import { type BirdRoute, parseRoutes } from '../../../bird/routes.ts'
import { holdRoutes, losesSessions, type RouteHold, stillMissing } from '../bgp/hold-routes.ts'
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
 * when a mesh becomes route reflectors, whatever the order of the steps. A peer whose agent is faster ends the session
 * before this one can hold its routes; therefore a migration asks for a hold on all nodes before its first step.
 */
export class SteadyBird {
  readonly #file: BirdFile
  readonly #options: SteadyBirdOptions
  readonly #clock: Clock
  readonly #turns = new KeyedLock()
  #wanted: BirdConfig | undefined
  #held: readonly BirdRoute[] = []
  #heldSince = 0
  /** That is asked for, and not over. */
  #asked: RouteHold | undefined
  /** The last that was asked for: when its time is over it does not begin again. */
  #askedKey: string | undefined
  #watching: Promise<void> | undefined

  constructor(options: SteadyBirdOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#file = new BirdFile(options)
  }

  /** `hold`: what peers announce is held until it is not asked for any more. Throws BirdError; then BIRD is as before. */
  apply(config: BirdConfig, signal: AbortSignal, hold?: RouteHold): Promise<void> {
    return this.#turns.run('apply', () => this.#apply(config, signal, hold))
  }

  async #apply(config: BirdConfig, signal: AbortSignal, hold: RouteHold | undefined): Promise<void> {
    const isNew = hold?.key !== this.#askedKey
    const isChanged = !isDeepStrictEqual(config, this.#wanted)
    this.#askedKey = hold?.key
    if (isNew || hold === undefined) this.#asked = hold
    // Its time runs from the last change on: whoever asked for it is still at work.
    if (this.#asked !== undefined && isChanged) this.#heldSince = this.#clock.now()
    const before = this.#wanted ?? config
    const isUnsure = this.#wanted === undefined && (await this.#hasOtherPast(config))
    if (isUnsure || (isNew && hold !== undefined) || losesSessions(before, config)) await this.#hold(before, signal)
    await this.#write(config)
    this.#wanted = config
  }

  /**
   * After the start of the agent: whether BIRD has another configuration, whose sessions this one may end. What the agent
   * before has held is held further.
   */
  async #hasOtherPast(config: BirdConfig): Promise<boolean> {
    const held = await queryBird(this.#options.socket, 'show route where proto = "held4" || proto = "held6"')
    this.#held = parseRoutes(held)
    return this.#held.length > 0 || !(await this.#file.has(renderBirdConfig(config)))
  }

  async #hold(before: BirdConfig, signal: AbortSignal): Promise<void> {
    await this.#addHeld()
    this.#heldSince = this.#clock.now()
    await this.#write(before)
    this.#watching ??= this.#watch(signal).finally(() => {
      this.#watching = undefined
    })
  }

  /** Routes that are held already stay as they are: what BIRD has of them now may be itself held. */
  async #addHeld(): Promise<readonly BirdRoute[]> {
    const announced = await this.#announced()
    const known = new Set(this.#held.map(({ destination }) => destination))
    const added = announced.filter(({ destination }) => !known.has(destination))
    if (added.length > 0) this.#held = [...this.#held, ...added]
    return announced
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      let missing = this.#held
      while (this.#isWithinTime() && (this.#asked !== undefined || missing.length > 0)) {
        await this.#clock.sleep(askEveryMs, signal)
        missing = await this.#turns.run('apply', () => this.#look())
      }
      await this.#turns.run('apply', () => this.#release(missing))
    } catch (error) {
      if (!signal.aborted) this.#options.log.warn({ error: describeError(error) }, 'routes are held for longer')
    }
  }

  #isWithinTime(): boolean {
    return this.#clock.now() < this.#heldSince + (this.#asked?.ms ?? holdMs)
  }

  /** What is held and not announced. While a hold is asked for, what is announced is held as well. */
  async #look(): Promise<BirdRoute[]> {
    if (this.#asked === undefined) return stillMissing(this.#held, await this.#announced())
    const before = this.#held
    const announced = await this.#addHeld()
    if (this.#held !== before && this.#wanted !== undefined) await this.#write(this.#wanted)
    return stillMissing(this.#held, announced)
  }

  async #release(missing: readonly BirdRoute[]): Promise<void> {
    const networks = missing.map(({ destination }) => destination)
    if (missing.length > 0) this.#options.log.warn({ networks }, 'no peer announces these networks any more')
    this.#held = []
    this.#asked = undefined
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
