import type { Log } from '../../../base/log.ts'
import { isObject } from '../json.ts'
import type { ApiObject } from '../object.ts'
import type { Store } from '../storage/store.ts'

const lifetimeMs = 3_600_000
const sweepEveryMs = 60_000

/** Removes events an hour after they were last seen, as Kubernetes does, until `signal` aborts. */
export function expireEvents(store: Store, log: Log, signal: AbortSignal): void {
  const timer = setInterval(() => {
    const count = removeOldEvents(store, Date.now() - lifetimeMs)
    if (count > 0) log.debug({ count }, 'old events removed')
  }, sweepEveryMs)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

/** Removes the events that were last seen before a moment; returns how many. */
export function removeOldEvents(store: Store, beforeMs: number): number {
  const old = store.list('/events').filter(({ object }) => lastSeenMs(object) < beforeMs)
  for (const { object } of old) store.remove('/events', `${object.metadata.namespace}/${object.metadata.name}`)
  return old.length
}

function lastSeenMs(event: ApiObject): number {
  const observed = isObject(event.series) ? event.series.lastObservedTime : undefined
  const times = [observed, event.lastTimestamp, event.eventTime, event.metadata.creationTimestamp]
  return Math.max(...times.map((time) => Date.parse(String(time))).filter((time) => !Number.isNaN(time)))
}
