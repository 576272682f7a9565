import { KeyedLock } from '../../../base/keyed-lock.ts'
import type { Informer } from '../../../kube/api.ts'
import type { NamespaceResource } from '../../../kube/resources/core.ts'
import type { NodeDeps } from '../../driver.ts'
import type { RoutedSettings } from '../config.ts'
import { Assigner } from '../ipam/assign.ts'
import { BlockStore } from '../ipam/block-store.ts'
import { BlockView } from '../ipam/block-view.ts'
import { HandleIndex } from '../ipam/handle-index.ts'
import { reservedPrefixes } from '../ipam/reservations.ts'
import type { IPPool } from '../resources.ts'
import { EarlyClaims } from './early-claims.ts'
import { PendingReleases } from './pending-releases.ts'
import type { NodeSources } from './sources.ts'

/** What the verbs of one node work with. */
export interface NodeContext {
  readonly settings: RoutedSettings
  readonly deps: NodeDeps
  readonly pools: Informer<IPPool>
  readonly namespaces: Informer<NamespaceResource>
  readonly store: BlockStore
  readonly assigner: Assigner
  readonly handles: HandleIndex
  readonly early: EarlyClaims
  readonly releases: PendingReleases
  /** ADD and DEL of one host interface run one after the other. */
  readonly locks: KeyedLock
  /** Handles whose ADD is under way: garbage collection must not touch them. */
  readonly attaching: Set<string>
  /** MTU that a pod may have: of the interface that holds the node's address, without what tunnels take. */
  nodeMtuBytes(): number | undefined
  /** Throws what keeps this node from reaching others' pods of the address' pool. */
  requireReachable(address: string): void
  /** Resolves when the floating addresses of every pod that is here lead to it. */
  serveFloating(): Promise<void>
  /** Resolves when the tables of what pods may send are there. */
  restoreSenders(): Promise<void>
}

/** What the verbs ask of parts that are there after the context. */
export type NodeAnswers = Pick<NodeContext, 'nodeMtuBytes' | 'requireReachable' | 'restoreSenders' | 'serveFloating'>

export function createContext(settings: RoutedSettings, sources: NodeSources, answers: NodeAnswers): NodeContext {
  const { deps, pools, blocks, namespaces, reservations } = sources
  const view = new BlockView(blocks)
  const store = new BlockStore(deps.kube, view)
  const handles = new HandleIndex({ kube: deps.kube, view, log: deps.log, calm: deps.calm })
  return {
    settings,
    handles,
    deps,
    pools,
    namespaces,
    store,
    assigner: new Assigner({
      kube: deps.kube,
      store,
      handles,
      nodeName: deps.nodeName,
      now: Date.now,
      reserved: () => reservedPrefixes(reservations.list()),
    }),
    early: new EarlyClaims({ node: deps, store, handles }),
    releases: new PendingReleases(deps.paths.stateFolder),
    locks: new KeyedLock(),
    attaching: new Set(),
    ...answers,
  }
}
