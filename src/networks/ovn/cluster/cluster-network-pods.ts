import type { PodResource } from '../../../kube/resources/core.ts'
import type { Transaction } from '../../../ovsdb/transaction.ts'
import type { NorthboundTables } from '../tables/northbound.ts'
import type { ClusterContext } from './context.ts'
import { networkKey, PodPlaces } from './pod-places.ts'
import { nothingToSettle, type PodPlan, type PodPlanner } from './pod-planner.ts'
import { planPort, planRemoval } from './pod-port-plan.ts'

/** Logical ports and addresses of the pods that ask for the cluster network. */
export class ClusterNetworkPods implements PodPlanner {
  readonly #context: ClusterContext
  readonly #places: PodPlaces

  constructor(context: ClusterContext) {
    this.#context = context
    this.#places = new PodPlaces(context)
  }

  adoptAll(): void {
    this.#places.adoptAll()
  }

  refresh(): void {
    this.#places.takeSubnets()
  }

  *keys(): Iterable<string> {
    yield* this.#places.keys()
    for (const port of this.#context.northbound.view.ofScope('Logical_Switch_Port', 'pod')) {
      yield String(port.name).replace('_', '/')
    }
  }

  held(): Iterable<string> {
    return this.#places.held()
  }

  plan(key: string, pod: PodResource | undefined, transaction: Transaction<NorthboundTables>): PodPlan {
    const { northbound, natAddressesOf } = this.#context
    const wanted = this.#places.want(key, pod)
    const networks = wanted?.network === undefined ? {} : { [networkKey]: wanted.network }
    if (wanted?.place === undefined) return { networks, settle: this.#planRemoval(key, transaction) }
    planPort(northbound.view, wanted.place, natAddressesOf(wanted.place.node), transaction)
    return { networks, settle: nothingToSettle }
  }

  #planRemoval(key: string, transaction: Transaction<NorthboundTables>): PodPlan['settle'] {
    const place = this.#places.find(key)
    const [namespace = '', name = ''] = key.split('/')
    planRemoval(this.#context.northbound.view, { namespace, name, addresses: place?.addresses }, transaction)
    return () => {
      if (place === undefined) return []
      this.#places.release(place)
      return this.#places.refused()
    }
  }
}
