import { describeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { retry } from '../base/retry.ts'
import type { KubeClient } from './api.ts'
import { isNotFound, isTransient } from './errors.ts'
import { type EventResource, events } from './resources/core.ts'
import { apiVersionOf, type KubeObject } from './resources/meta.ts'

/** Writes Events. Never throws and never delays the caller; equal events within a while are counted, not repeated. */
export interface EventRecorder {
  event(
    about: KubeObject & { apiVersion?: string; kind?: string },
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void
}

export interface EventRecorderOptions {
  /** Who reports, e.g. `twinlane-agent`; `kubectl describe` shows it as the source. */
  component: string
  /** Node name. */
  host: string
  log: Log
  /** Events waiting to be written; beyond it the oldest is dropped. @default 256 */
  queueLimit?: number
  /** Resolves when there is time for an event. @default at once */
  before?: () => Promise<void>
  /** How long equal events count as one. @default 10 minutes */
  aggregateMs?: number
}

interface Entry {
  readonly key: string
  readonly event: EventResource
  /** Counts what happened; `written` what the API server knows of it. */
  count: number
  written: number
  lastAt: number
}

/** The API server refuses longer messages. */
const maxMessageLength = 1024
/** How many different events are remembered for counting. */
const maxRemembered = 512

/** Records core/v1 Events through `client`, one request at a time. `flush` resolves when nothing waits any more. */
export function createEventRecorder(
  client: KubeClient,
  options: EventRecorderOptions,
): EventRecorder & { flush(): Promise<void> } {
  const remembered = new Map<string, Entry>()
  const queue = new Set<Entry>()
  let drain: Promise<void> | undefined

  const drainQueue = async (): Promise<void> => {
    for (const entry of queue) {
      await options.before?.()
      queue.delete(entry)
      await writeEntry(client, entry, options)
    }
    drain = undefined
  }

  return {
    event(about, type, reason, message) {
      const text = message.length > maxMessageLength ? `${message.slice(0, maxMessageLength - 1)}…` : message
      const key = [about.metadata.uid ?? about.metadata.name, type, reason, text].join('\0')
      const entry = rememberEntry(remembered, key, options, () =>
        buildEvent(about, { type, reason, message: text }, options),
      )
      entry.count++
      entry.lastAt = Date.now()
      queue.add(entry)
      dropOldest(queue, options)
      drain ??= drainQueue()
    },
    flush: async () => {
      while (drain !== undefined) await drain
    },
  }
}

function rememberEntry(
  remembered: Map<string, Entry>,
  key: string,
  options: EventRecorderOptions,
  build: () => EventResource,
): Entry {
  const known = remembered.get(key)
  remembered.delete(key)
  const isFresh = known !== undefined && Date.now() - known.lastAt < (options.aggregateMs ?? 600_000)
  const entry = isFresh ? known : { key, event: build(), count: 0, written: 0, lastAt: 0 }
  // Set again, so that the map stays in the order of last use.
  remembered.set(key, entry)
  for (const oldest of remembered.keys()) {
    if (remembered.size <= maxRemembered) break
    remembered.delete(oldest)
  }
  return entry
}

function dropOldest(queue: Set<Entry>, options: EventRecorderOptions): void {
  for (const oldest of queue) {
    if (queue.size <= (options.queueLimit ?? 256)) return
    queue.delete(oldest)
    const { reason, message } = oldest.event
    options.log.warn({ reason, event: message }, 'too many events wait for the API server, dropped the oldest')
  }
}

async function writeEntry(client: KubeClient, entry: Entry, options: EventRecorderOptions): Promise<void> {
  try {
    await retry(() => writeOnce(client, entry), { attempts: 6, maxDelayMs: 5000, retryable: isTransient })
  } catch (error) {
    const { reason, message } = entry.event
    options.log.warn({ reason, event: message, error: describeError(error) }, 'cannot write event, dropped it')
  }
}

async function writeOnce(client: KubeClient, entry: Entry): Promise<void> {
  const { count, lastAt, event } = entry
  const body = { count, lastTimestamp: timestamp(lastAt) }
  try {
    if (entry.written === 0) await client.create(events, { ...event, ...body })
    else await patchCount(client, event, body)
    entry.written = count
  } catch (error) {
    // An event lives for an hour: the one that we count on may be gone.
    if (entry.written === 0 || !isNotFound(error)) throw error
    entry.written = 0
    await writeOnce(client, entry)
  }
}

async function patchCount(client: KubeClient, event: EventResource, body: object): Promise<void> {
  await client.patch(events, event.metadata.name, { type: 'merge', body }, { namespace: event.metadata.namespace })
}

function buildEvent(
  about: KubeObject,
  what: { type: string; reason: string; message: string },
  options: EventRecorderOptions,
): EventResource {
  const { name, namespace, uid, resourceVersion } = about.metadata
  return {
    apiVersion: apiVersionOf(events),
    kind: events.kind,
    metadata: { name: `${name.slice(0, 200)}.${uniqueSuffix()}`, namespace: namespace ?? 'default' },
    involvedObject: {
      ...(about.apiVersion === undefined ? {} : { apiVersion: about.apiVersion }),
      ...(about.kind === undefined ? {} : { kind: about.kind }),
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    ...what,
    source: { component: options.component, host: options.host },
    reportingComponent: options.component,
    reportingInstance: options.host,
    firstTimestamp: timestamp(Date.now()),
  }
}

let lastSuffix = 0n

/** Nanoseconds of now, made up below the millisecond: unique, and in the order of time, for lists are sorted by name. */
function uniqueSuffix(): string {
  const now = BigInt(Date.now()) * 1_000_000n + BigInt(Math.floor(Math.random() * 900_000))
  lastSuffix = now > lastSuffix ? now : lastSuffix + 1n
  return lastSuffix.toString(16)
}

/** RFC 3339 in whole seconds, as metav1.Time is written. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
