import { silentLog } from '../base/log.ts'
import { waitFor } from '../base/observable.ts'
import { createInformer } from '../kube/informer.ts'
import type { KubeObject } from '../kube/resources/meta.ts'
import type { Connection } from './connection.ts'
import { shownTarget, type Target } from './objects.ts'

/**
 * Follows one object until `look` says true; it is given undefined while there is no such object. A lost connection is
 * made anew. Throws TimeoutError, whose detail is what `explain` says of the object as last seen.
 */
export async function awaitObject(
  connection: Connection,
  target: Target,
  options: {
    what: string
    timeoutMs: number
    look: (object: KubeObject | undefined) => boolean
    explain?: (object: KubeObject | undefined) => string | undefined
  },
): Promise<void> {
  const { type, name, namespace } = target
  const informer = createInformer(connection.client, type, {
    namespace,
    fieldSelector: `metadata.name=${name}`,
    log: silentLog,
  })
  const stop = new AbortController()
  const find = (): KubeObject | undefined => informer.get(name, namespace)
  try {
    const started = informer.start(stop.signal)
    started.catch(() => {})
    await waitFor(informer, () => (informer.hasSynced && options.look(find())) || undefined, {
      what: `${shownTarget(target)} ${options.what}`,
      timeoutMs: options.timeoutMs,
      detail: () => (informer.hasSynced ? options.explain?.(find()) : 'the API server does not answer'),
    })
  } finally {
    stop.abort()
  }
}
