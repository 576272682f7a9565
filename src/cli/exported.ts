import type { KubeObject } from '../kube/resources/meta.ts'
import { nodeAnnotations } from '../networks/routed/virtual-node.ts'

/** Fields of metadata that the cluster gives an object, and that another cluster would refuse or ignore. */
const clusterFields = [
  'creationTimestamp',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
]
const clusterAnnotations = ['kubectl.kubernetes.io/last-applied-configuration', nodeAnnotations.kubeLabels]

/** An object as a file for another cluster would have it: without what only its own cluster knows, and without status. */
export function exported(object: KubeObject): KubeObject {
  const { status: _, apiVersion, kind, metadata: before, ...rest } = object as KubeObject & { status?: unknown }
  const metadata = omit({ ...before }, clusterFields)
  const annotations = omit({ ...before.annotations }, clusterAnnotations)
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: {
      ...omit(metadata, ['annotations']),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    } as KubeObject['metadata'],
    ...rest,
  }
}

function omit(value: object, keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)))
}
