import { describeError } from '../../../base/errors.ts'
import { BirdError } from '../../../bird/control.ts'
import type { NetworkGauge } from '../../driver.ts'
import { BgpNodes } from '../bgp/bgp-nodes.ts'
import { bgpPeers } from '../resources.ts'
import { encapsulationOf } from '../tunnels/encapsulation.ts'
import { birdGauges, findImpairments, readSessions } from './bird-health.ts'
import { type BirdSources, type BirdState, noState, syncBird } from './bird-sync.ts'
import { Passwords } from './passwords.ts'
import type { Reports } from './reports.ts'
import { ServiceSource } from './service-source.ts'
import { SteadyBird } from './steady-bird.ts'

export interface NodeBirdOptions {
  readonly reports: Reports
  /** Prefixes that tunnels lead to. */
  readonly carried: () => readonly string[]
  /** Called when BIRD is to be synced. */
  readonly onChange: () => void
}

/** Keeps this node's BIRD at what the cluster says, and says what is wrong with that. */
export class NodeBird {
  readonly #sources: BirdSources
  readonly #reports: Reports
  readonly #carried: () => readonly string[]
  readonly #bird: SteadyBird
  readonly #socket: string
  readonly #bgpNodes = new BgpNodes()
  readonly #passwords: Passwords
  readonly #serviceSource: ServiceSource
  #state: BirdState = noState

  constructor(sources: BirdSources, { reports, carried, onChange }: NodeBirdOptions) {
    const { kube, log, nodeName, paths } = sources.deps
    this.#serviceSource = new ServiceSource({ kube, log, nodeName, onChange })
    this.#passwords = new Passwords({ kube, log, onChange })
    this.#sources = sources
    this.#reports = reports
    this.#carried = carried
    this.#socket = paths.birdSocket
    this.#bird = new SteadyBird({ configFile: paths.birdConfigFile, socket: paths.birdSocket, log })
  }

  /** Throws BirdError. When BIRD does not take what we made of the cluster's objects, it goes on with what it had. */
  async sync(signal: AbortSignal): Promise<void> {
    const sources = {
      ...this.#sources,
      bgpNodes: this.#bgpNodes,
      carried: this.#carried(),
      passwords: this.#passwords,
      serviceSource: this.#serviceSource,
    }
    try {
      this.#state = await syncBird(sources, this.#bird, signal)
      for (const { peer, message } of this.#state.problems) {
        this.#reports.ofObject({ type: bgpPeers, object: peer }, 'NoBGPSession', message)
      }
      this.#reports.ofTopology(this.#state.mistakes)
    } catch (error) {
      if (error instanceof BirdError && error.code !== undefined) {
        this.#reports.ofNode('BirdConfigurationRefused', `${describeError(error)}; the sessions of before stay`)
      }
      throw error
    }
  }

  stop(): void {
    this.#passwords.stop()
    this.#serviceSource.stop()
  }

  /** Why pods of other nodes cannot be reached; pools that are all encapsulated need no BGP. */
  async impairments(): Promise<string[]> {
    const needsBgp = this.#sources.pools.list().some((pool) => encapsulationOf(pool) === undefined)
    return needsBgp ? findImpairments(this.#state, await readSessions(this.#socket)) : []
  }

  async gauges(): Promise<NetworkGauge[]> {
    return birdGauges(await readSessions(this.#socket), this.#state.mistakes)
  }
}
