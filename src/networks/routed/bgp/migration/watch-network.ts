import { cidrContains, parseCidr } from '../../../../base/ip.ts'
import type { Log } from '../../../../base/log.ts'
import { waitFor } from '../../../../base/observable.ts'
import type { Informer, KubeClient } from '../../../../kube/api.ts'
import { createInformer } from '../../../../kube/informer.ts'
import { isConfirmed } from '../../ipam/affinity.ts'
import { ownerOf } from '../../ipam/block.ts'
import {
  type BlockAffinity,
  blockAffinities,
  type IPAMBlock,
  type IPPool,
  ipamBlocks,
  ipPools,
} from '../../resources.ts'
import { isNotHost } from '../build-filters.ts'
import { StatusRequest } from '../status-request.ts'
import { findShortfalls, findUncovered, findUnheld, type Observation, type OwnedBlock } from './judge.ts'
import { bgpNodesOf, sessionsOf, type Topology } from './topology.ts'

export interface NetworkWatchOptions {
  readonly kube: KubeClient
  readonly log: Log
  readonly nodes: readonly string[]
  readonly timeoutMs: number
}

/** What the nodes' BGP daemons have, and what there is to be had. */
export class NetworkWatch {
  readonly #options: NetworkWatchOptions
  readonly #life = new AbortController()
  readonly #pools: Informer<IPPool>
  readonly #blocks: Informer<IPAMBlock>
  readonly #affinities: Informer<BlockAffinity>
  #request: StatusRequest | undefined

  private constructor(options: NetworkWatchOptions) {
    const { kube, log } = options
    this.#options = options
    this.#pools = createInformer(kube, ipPools, { log })
    this.#blocks = createInformer(kube, ipamBlocks, { log })
    this.#affinities = createInformer(kube, blockAffinities, { log })
  }

  /** Resolves when every node has reported. Throws TimeoutError. */
  static async open(options: NetworkWatchOptions, signal: AbortSignal): Promise<NetworkWatch> {
    const watch = new NetworkWatch(options)
    const informers = [watch.#pools, watch.#blocks, watch.#affinities]
    await Promise.all(informers.map((informer) => informer.start(watch.#life.signal)))
    const { kube, log, nodes } = options
    const classes = ['BGP', 'Routes'] as const
    watch.#request = await StatusRequest.open({ kube, log, purpose: 'bgp-migrate', nodes, classes })
    try {
      await watch.#request.everyone(options.timeoutMs, signal)
      return watch
    } catch (error) {
      await watch.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#life.abort()
    await this.#request?.close()
  }

  /** Resolves when nothing is missing. Throws TimeoutError naming what is. */
  async complete(topology: Topology, through: readonly string[], signal: AbortSignal): Promise<void> {
    const request = this.#opened()
    const seen = new Map([...request.reports()].map(([node, { lastUpdated }]) => [node, lastUpdated]))
    const facts = {
      addresses: new Map(bgpNodesOf(topology).map(({ name, addresses }) => [name, Object.values(addresses)])),
      sessions: sessionsOf(topology),
    }
    const look = (): string[] => {
      const reports = request.reports()
      const old = [...reports].filter(([node, { lastUpdated }]) => seen.get(node) === lastUpdated)
      if (old.length > 0) return old.map(([node]) => `${node}: no report since the change`)
      const observation: Observation = { ...facts, reports, blocks: this.#ownedBlocks() }
      return findShortfalls(observation, through)
    }
    await this.#until('all sessions and routes', look, signal)
  }

  /** Resolves when every node holds what its peers announce. Throws TimeoutError. */
  held(signal: AbortSignal): Promise<void> {
    const look = (): string[] => findUnheld(this.#opened().reports(), this.#poolCidrs())
    return this.#until('every node to hold its routes', look, signal)
  }

  /** Resolves when a change to this topology takes away no node's only way to anywhere. Throws TimeoutError. */
  covered(after: Topology, signal: AbortSignal): Promise<void> {
    const sessions = sessionsOf(after)
    const look = (): string[] => findUncovered(sessions, this.#opened().reports(), this.#poolCidrs())
    return this.#until('another way to all that the step takes away', look, signal)
  }

  async #until(what: string, look: () => string[], signal: AbortSignal): Promise<void> {
    const { timeoutMs } = this.#options
    const isDone = (): true | undefined => (look().length === 0 ? true : undefined)
    await waitFor(this.#opened(), isDone, { what, timeoutMs, signal, detail: () => summary(look()) })
  }

  #poolCidrs(): string[] {
    return this.#pools.list().map(({ spec }) => spec.cidr)
  }

  /** Blocks that their owners announce. */
  #ownedBlocks(): OwnedBlock[] {
    const hidden = this.#pools.list().filter(({ spec }) => spec.disableBGPExport === true)
    const confirmed = new Set(
      this.#affinities
        .list()
        .filter(isConfirmed)
        .map(({ spec }) => `${spec.node} ${spec.cidr}`),
    )
    return this.#blocks.list().flatMap((block) => {
      const { cidr, deleted } = block.spec
      const owner = ownerOf(block)
      if (owner === undefined || deleted === true || !isNotHost(cidr) || !confirmed.has(`${owner} ${cidr}`)) return []
      return hidden.some(({ spec }) => isInside(cidr, spec.cidr)) ? [] : [{ cidr, owner }]
    })
  }

  #opened(): StatusRequest {
    if (this.#request === undefined) throw new Error('the watch is not open')
    return this.#request
  }
}

function isInside(cidr: string, pool: string): boolean {
  return cidrContains(parseCidr(pool), cidr.split('/')[0] ?? '')
}

/** A node that is down would fill the screen with what it lacks. */
export function summary(lines: readonly string[]): string {
  const shown = lines.slice(0, 5)
  return lines.length > shown.length ? `${shown.join('; ')}; and ${lines.length - shown.length} more` : shown.join('; ')
}
