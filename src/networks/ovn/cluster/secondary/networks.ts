import type { Informer } from '../../../../kube/api.ts'
import type { EventRecorder } from '../../../../kube/events.ts'
import { keyOf } from '../../../../kube/resources/meta.ts'
import type { NetworkAttachmentDefinition } from '../../../../kube/resources/net-attach-def.ts'
import type { OvnSettings } from '../../config.ts'
import type { SecondaryNetwork } from '../../secondary/net-conf.ts'
import { collectNetworks, type NetworkSet, type ReservedPrefix } from '../../secondary/network-set.ts'
import { joinCidr, masqueradeCidr } from '../../topology/names.ts'

const none: NetworkSet = { networks: new Map(), byNad: new Map(), refusals: [] }

/** The secondary networks of the cluster. One whose definition is gone or wrong stays known while pods are on it. */
export class SecondaryNetworks {
  readonly #nads: Pick<Informer<NetworkAttachmentDefinition>, 'list'>
  readonly #events: EventRecorder
  readonly #reserved: readonly ReservedPrefix[]
  readonly #lastKnown = new Map<string, SecondaryNetwork>()
  readonly #refusals = new Map<string, string>()
  #current: NetworkSet = none

  constructor(settings: OvnSettings, nads: Pick<Informer<NetworkAttachmentDefinition>, 'list'>, events: EventRecorder) {
    this.#nads = nads
    this.#events = events
    this.#reserved = reservedPrefixes(settings)
  }

  get current(): NetworkSet {
    return this.#current
  }

  /** Reads the definitions. A refusal becomes one Warning event for each definition and reason. */
  refresh(): void {
    this.#current = collectNetworks(this.#nads.list(), this.#reserved)
    for (const network of this.#current.networks.values()) this.#lastKnown.set(network.name, network)
    const refused = new Map(this.#current.refusals.map(({ nad, reason }) => [keyOf(nad), { nad, reason }]))
    for (const key of this.#refusals.keys()) if (!refused.has(key)) this.#refusals.delete(key)
    for (const [key, { nad, reason }] of refused) {
      if (this.#refusals.get(key) === reason) continue
      this.#refusals.set(key, reason)
      this.#events.event(nad, 'Warning', 'OvnNetworkRefused', reason)
    }
  }

  /** The networks of the definitions, and of those before them that are still in use. */
  active(isInUse: (network: string) => boolean): SecondaryNetwork[] {
    const { networks } = this.#current
    const retained = [...this.#lastKnown.values()].filter(({ name }) => !networks.has(name) && isInUse(name))
    return [...networks.values(), ...retained]
  }

  find(name: string): SecondaryNetwork | undefined {
    return this.#current.networks.get(name) ?? this.#lastKnown.get(name)
  }
}

function reservedPrefixes({ netCidrs, svcCidrs }: OvnSettings): ReservedPrefix[] {
  return [
    ...netCidrs.map((cidr) => ({ cidr, what: 'the cluster network' })),
    ...svcCidrs.map((cidr) => ({ cidr, what: 'the services' })),
    ...Object.values(joinCidr).map((cidr) => ({ cidr, what: 'the join network' })),
    ...Object.values(masqueradeCidr).map((cidr) => ({ cidr, what: 'the masquerade network' })),
  ]
}
