import type { KubeObject, ObjectMeta } from '../kube/resources/meta.ts'

/** What the rules look at: a definition or a pod, which may be the template of a workload. */
export interface Subject {
  readonly object: { readonly metadata: ObjectMeta; readonly spec?: Readonly<Record<string, unknown>> }
  /** Where it stands in the object of the file: [] or ['spec', 'template']. */
  readonly path: readonly (string | number)[]
}

/** The object itself. */
export function wholeObject(object: KubeObject): Subject {
  return { object: withNamespace(object, undefined), path: [] }
}

/** The pod, or the pod template of a Deployment, DaemonSet, StatefulSet, Job or CronJob. */
export function podOf(object: KubeObject): Subject | undefined {
  const path = templatePaths.get(object.kind ?? '') ?? []
  const template = path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object)
  if (typeof template !== 'object' || template === null) return undefined
  return { object: withNamespace(template as KubeObject, object.metadata.namespace), path }
}

const template = ['spec', 'template']

const templatePaths = new Map([
  ...['Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet', 'Job'].map((kind) => [kind, template] as const),
  ['CronJob', ['spec', 'jobTemplate', ...template]] as const,
])

export const podKinds: readonly string[] = ['Pod', ...templatePaths.keys()]

function withNamespace(object: KubeObject, namespace: string | undefined): Subject['object'] {
  const { metadata = { name: '' }, spec } = object as Subject['object'] & KubeObject
  const meta = { ...metadata, namespace: namespace ?? metadata.namespace ?? 'default' }
  return spec === undefined ? { metadata: meta } : { metadata: meta, spec }
}
