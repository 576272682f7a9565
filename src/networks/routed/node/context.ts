import type { KeyedLock } from '../../../base/keyed-lock.ts'
import type { Informer } from '../../../kube/api.ts'
import type { NodeDeps } from '../../driver.ts'
import type { RoutedSettings } from '../config.ts'
import type { Assigner } from '../ipam/assign.ts'
import type { BlockStore } from '../ipam/block-store.ts'
import type { HandleIndex } from '../ipam/handle-index.ts'
import type { IPPool } from '../resources.ts'
import type { PendingReleases } from './pending-releases.ts'

/** What the verbs of one node work with. */
export interface NodeContext {
  readonly settings: RoutedSettings
  readonly deps: NodeDeps
  readonly pools: Informer<IPPool>
  readonly store: BlockStore
  readonly assigner: Assigner
  readonly handles: HandleIndex
  readonly releases: PendingReleases
  /** ADD and DEL of one host interface run one after the other. */
  readonly locks: KeyedLock
  /** Handles whose ADD is under way: garbage collection must not touch them. */
  readonly attaching: Set<string>
  /** MTU of the interface that holds the node's address. */
  nodeMtuBytes(): number | undefined
}
