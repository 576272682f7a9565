import type { Log } from '../../../../base/log.ts'
import type { Informer, KubeClient } from '../../../../kube/api.ts'
import { isNotFound } from '../../../../kube/errors.ts'
import type { KubeObject, ResourceType } from '../../../../kube/resources/meta.ts'

export interface OptionalInformer {
  readonly type: ResourceType
  readonly informer: Pick<Informer<KubeObject>, 'start'>
}

/**
 * Starts informers of kinds that the API may not serve yet: what needs none of them must not wait for their
 * installation. Resolves when those that are served are complete; the others go on trying.
 */
export async function startOptional(
  informers: readonly OptionalInformer[],
  { kube, log, signal }: { kube: KubeClient; log: Log; signal: AbortSignal },
): Promise<void> {
  const starts = informers.map(async ({ type, informer }) => {
    if (await isServed(kube, type)) return await informer.start(signal)
    log.warn({ kind: type.kind }, 'the API does not serve this kind; its objects are followed once it is installed')
    // Rejects only when everything stops.
    void informer.start(signal).catch(() => {})
  })
  await Promise.all(starts)
}

/** Any other failure is one that the informer waits off. */
async function isServed(kube: KubeClient, type: ResourceType): Promise<boolean> {
  try {
    for await (const _ of kube.pages(type)) return true
  } catch (error) {
    if (isNotFound(error)) return false
  }
  return true
}
