import { describeError } from '../../../base/errors.ts'
import { BirdError } from '../../../bird/control.ts'
import { bgpPeers } from '../resources.ts'
import { type BirdSources, syncBird } from './bird-sync.ts'
import type { Reports } from './reports.ts'
import { SteadyBird } from './steady-bird.ts'

/** Keeps this node's BIRD at what the cluster says, and says what is wrong with that. */
export class NodeBird {
  readonly #sources: BirdSources
  readonly #reports: Reports
  readonly #bird: SteadyBird

  constructor(sources: BirdSources, reports: Reports) {
    const { log, paths } = sources.deps
    this.#sources = sources
    this.#reports = reports
    this.#bird = new SteadyBird({ configFile: paths.birdConfigFile, socket: paths.birdSocket, log })
  }

  /** Throws BirdError. When BIRD does not take what we made of the cluster's objects, it goes on with what it had. */
  async sync(signal: AbortSignal): Promise<void> {
    try {
      const { problems, mistakes } = await syncBird(this.#sources, this.#bird, signal)
      for (const { peer, message } of problems) {
        this.#reports.ofObject({ type: bgpPeers, object: peer }, 'NoBGPSession', message)
      }
      this.#reports.ofTopology(mistakes)
    } catch (error) {
      if (error instanceof BirdError && error.code !== undefined) {
        this.#reports.ofNode('BirdConfigurationRefused', `${describeError(error)}; the sessions of before stay`)
      }
      throw error
    }
  }
}
