import type { Log } from '../base/log.ts'
import type { Informer, KubeClient } from '../kube/api.ts'
import { createInformer } from '../kube/informer.ts'
import { type NodeResource, nodes, type PodResource, pods } from '../kube/resources/core.ts'
import { type NetworkAttachmentDefinition, networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'

/** What the agent watches of the cluster. */
export interface Caches {
  /** Those of this node. */
  readonly pods: Informer<PodResource>
  readonly nodes: Informer<NodeResource>
  readonly definitions: Informer<NetworkAttachmentDefinition>
}

export function createCaches(kube: KubeClient, { nodeName, log }: { nodeName: string; log: Log }): Caches {
  const options = { transform: withoutManagedFields, log }
  return {
    pods: createInformer<PodResource>(kube, pods, { ...options, fieldSelector: `spec.nodeName=${nodeName}` }),
    nodes: createInformer<NodeResource>(kube, nodes, options),
    definitions: createInformer<NetworkAttachmentDefinition>(kube, networkAttachmentDefinitions, options),
  }
}

/** Resolves when all of them have been filled. */
export async function startCaches(caches: Caches, signal: AbortSignal): Promise<void> {
  await Promise.all([caches.pods, caches.nodes, caches.definitions].map((informer) => informer.start(signal)))
}

/** Half of an object's memory, and nobody reads it. */
function withoutManagedFields<T extends { metadata: { managedFields?: unknown } }>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
