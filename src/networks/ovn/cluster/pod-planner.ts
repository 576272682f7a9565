import type { PodResource } from '../../../kube/resources/core.ts'
import type { Transaction } from '../../../ovsdb/transaction.ts'
import type { NorthboundTables } from '../tables/northbound.ts'
import type { NetworkChanges } from './pod-annotation.ts'

/** What the cluster network, or the secondary networks together, do about pods. PodPorts calls it in rounds. */
export interface PodPlanner {
  /** Takes in what pods and database say already, before anything new is given out. */
  adoptAll(): void
  /** Nodes or networks may have changed. */
  refresh(): void
  /** `namespace/name` of pods that have or had something. */
  keys(): Iterable<string>
  /** Pods that lose something once OVN has it no longer bound. */
  held(): Iterable<string>
  /** Adds to the transaction what the pod lacks and what it must not have. */
  plan(key: string, pod: PodResource | undefined, transaction: Transaction<NorthboundTables>): PodPlan
}

export interface PodPlan {
  /** What the pod's annotation shall say; networks that are not named stay as they are. */
  readonly networks: NetworkChanges
  /** Once the transaction is committed. Returns pods that may have better luck now. */
  settle(): Iterable<string>
}

export const nothingToSettle = (): string[] => []
