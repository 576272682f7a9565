import { apiVersionOf } from '../../../kube/resources/meta.ts'
import { ipPools } from '../resources.ts'
import type { ClusterContext } from './context.ts'
import { findShortages } from './find-shortages.ts'

/** Warns of each shortage once, and again when it has become another; `reported` keeps what was said. */
export function reportShortages({ deps, pools }: ClusterContext, reported: Set<string>): void {
  const shortages = findShortages(pools.list(), deps.nodes.list())
  const current = new Set(shortages.map(({ pool, message }) => `${pool.metadata.uid} ${message}`))
  for (const key of reported) if (!current.has(key)) reported.delete(key)
  for (const { pool, message } of shortages) {
    const key = `${pool.metadata.uid} ${message}`
    if (reported.has(key)) continue
    reported.add(key)
    deps.log.warn({ pool: pool.metadata.name }, message)
    const about = { apiVersion: apiVersionOf(ipPools), kind: ipPools.kind, ...pool }
    deps.events.event(about, 'Warning', 'NotEnoughBlocks', message)
  }
}
