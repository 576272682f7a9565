import type { Log } from '../../../../base/log.ts'
import type { NetworkGauge } from '../../../driver.ts'

/** What of the node's state somebody else has changed. */
export type Repaired = 'interface' | 'forwarding' | 'nftables' | 'tunnel' | 'stray'

/** Counts what was put right, and says so: whoever changes it will do it again. */
export class Repairs {
  readonly #log: Log
  readonly #counts = new Map<Repaired, number>()

  constructor(log: Log) {
    this.#log = log
  }

  gauge(): NetworkGauge {
    return {
      name: 'twinlane_routed_repairs',
      help: 'How often since the start something that others had changed on the node was put right.',
      values: [...this.#counts].map(([what, value]) => ({ labels: { what }, value })),
    }
  }

  note(part: Repaired, facts: object): void {
    this.#counts.set(part, (this.#counts.get(part) ?? 0) + 1)
    this.#log.warn({ part, ...facts }, 'somebody else had changed what is ours; it is as it was')
  }
}
