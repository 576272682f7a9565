import { type Clock, systemClock } from '../../../base/clock.ts'
import type { Kernel, KernelWatch, Route } from '../../../kernel/kernel.ts'
import { tunnelRouteProtocol } from '../tunnels/build-tunnels.ts'

/** How long a route over a tunnel outlives the pool's encapsulation while nothing takes its place. */
const holdMs = 10_000

export interface RouteHoldOptions {
  readonly kernel: Kernel
  /** The interface that the routes which take over lead through. */
  readonly device: () => string | undefined
  /** Look again: a route has come, or the time is over. */
  readonly onChange: () => void
  readonly clock?: Clock
}

/**
 * Keeps routes that are to go until others, BIRD's, lead to the same place: no packet is lost when a pool's
 * encapsulation ends. The kernel tells of each new route; nothing is asked in between.
 */
export class RouteHold {
  readonly #options: RouteHoldOptions
  readonly #clock: Clock
  readonly #until = new Map<string, number>()
  #watch: KernelWatch | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: RouteHoldOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** Those of the routes that may go now. `isReachable` says of a destination that somebody has yet to take it over. */
  async release(routes: readonly Route[], isReachable: (destination: string) => boolean): Promise<Route[]> {
    const leaving = new Set(routes.map(({ destination }) => destination))
    for (const destination of this.#until.keys()) if (!leaving.has(destination)) this.#until.delete(destination)
    const [held, free] = split(routes, ({ destination }) => isReachable(destination))
    if (held.length === 0) {
      await this.stop()
      return free
    }
    await this.#listen()
    const replaced = await this.#replaced()
    const now = this.#clock.now()
    for (const { destination } of held) {
      if (!this.#until.has(destination)) this.#until.set(destination, now + holdMs)
    }
    const isOver = ({ destination }: Route): boolean => replaced.has(destination) || this.#untilOf(destination) <= now
    const [over, kept] = split(held, isOver)
    if (kept.length === 0) await this.stop()
    else this.#wakeAt(Math.min(...kept.map(({ destination }) => this.#untilOf(destination))))
    return [...free, ...over]
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#until.clear()
    const watch = this.#watch
    this.#watch = undefined
    await watch?.close()
  }

  #untilOf(destination: string): number {
    return this.#until.get(destination) ?? 0
  }

  /** Before the first look, so that no route comes unseen. */
  async #listen(): Promise<void> {
    const device = this.#options.device()
    if (this.#watch !== undefined || device === undefined) return
    const { kernel, onChange } = this.#options
    this.#watch = kernel.watch(
      undefined,
      ({ kind, action }) => {
        if (kind === 'route' && action === 'new') onChange()
      },
      onChange,
      { devices: [device] },
    )
    await this.#watch.ready
  }

  async #replaced(): Promise<Set<string>> {
    const routes = await this.#options.kernel.routes(undefined)
    return new Set(
      routes.filter(({ protocol }) => protocol !== tunnelRouteProtocol).map(({ destination }) => destination),
    )
  }

  #wakeAt(time: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#options.onChange, Math.max(0, time - this.#clock.now()))
    this.#timer.unref()
  }
}

function split<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))]
}
