import { listAt, objectAt } from '../json.ts'
import type { ApiObject } from '../object.ts'

/** Guaranteed when every container's requests equal its limits for cpu and memory, BestEffort when there are none. */
export function qosClassOf(pod: ApiObject): 'BestEffort' | 'Burstable' | 'Guaranteed' {
  const containers = [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')]
  const needs = containers.map((one) => ({
    requests: objectAt(one, 'resources', 'requests'),
    limits: objectAt(one, 'resources', 'limits'),
  }))
  const counts = ['cpu', 'memory']
  const isEmpty = needs.every(({ requests, limits }) =>
    counts.every((name) => !(name in requests) && !(name in limits)),
  )
  if (isEmpty) return 'BestEffort'
  const isFixed = needs.every(({ requests, limits }) =>
    counts.every((name) => name in limits && (requests[name] ?? limits[name]) === limits[name]),
  )
  return isFixed ? 'Guaranteed' : 'Burstable'
}
