import { isConflict, isNotFound } from '../../../kube/errors.ts'
import { apiVersionOf } from '../../../kube/resources/meta.ts'
import { poolStates } from '../ipam/check-pool.ts'
import { type IPPool, ipPools, type PoolCondition } from '../resources.ts'
import type { ClusterContext } from './context.ts'

/**
 * Says in the pool's status whether addresses of it are given out; what got into the API and cannot be used as it is
 * gets an event too. The pool's next change brings it here again.
 */
export async function writePoolCondition({ deps, pools }: ClusterContext, name: string): Promise<void> {
  const pool = pools.get(name)
  const found = pool === undefined ? undefined : poolStates(pools.list()).get(pool)
  if (pool === undefined || found === undefined) return
  const condition: PoolCondition = {
    type: 'Allocatable',
    status: found.state === 'OK' ? 'True' : 'False',
    reason: found.state,
    message: found.message,
  }
  const before = pool.status?.conditions?.find(({ type }) => type === condition.type)
  if (before !== undefined && isSame(before, condition)) return
  await write(deps.kube, pool, { ...condition, lastTransitionTime: transitionTime(before, condition) })
  if (found.state !== 'CIDROverlap' && found.state !== 'Invalid') return
  const about = { apiVersion: apiVersionOf(ipPools), kind: ipPools.kind, metadata: pool.metadata }
  deps.log.warn({ pool: name, state: found.state }, found.message)
  deps.events.event(about, 'Warning', found.state, `no addresses are given out: ${found.message}`)
}

async function write(kube: ClusterContext['deps']['kube'], pool: IPPool, condition: PoolCondition): Promise<void> {
  const others = (pool.status?.conditions ?? []).filter(({ type }) => type !== condition.type)
  try {
    await kube.updateStatus(ipPools, { ...pool, status: { ...pool.status, conditions: [...others, condition] } })
  } catch (error) {
    // The pool has changed meanwhile, or is gone: its event brings it here again.
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}

function isSame(a: PoolCondition, b: PoolCondition): boolean {
  return a.status === b.status && a.reason === b.reason && a.message === b.message
}

function transitionTime(before: PoolCondition | undefined, now: PoolCondition): string {
  const isUnchanged = before?.status === now.status && before.lastTransitionTime !== undefined
  return isUnchanged ? (before.lastTransitionTime ?? '') : new Date().toISOString().replace(/\.\d+Z$/, 'Z')
}
