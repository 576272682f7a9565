import { isDeepStrictEqual } from 'node:util'
import { computeDelta } from '../../base/delta.ts'
import type { Log } from '../../base/log.ts'
import { Workqueue } from '../../base/workqueue.ts'
import type { Informer, KubeClient } from '../../kube/api.ts'
import { createInformer } from '../../kube/informer.ts'
import {
  type EndpointSliceResource,
  type PodResource,
  pods as podType,
  type ServiceResource,
  services as serviceType,
  endpointSlices as sliceType,
} from '../../kube/resources/core.ts'
import { keyOf } from '../../kube/resources/meta.ts'
import {
  buildEndpointSlices,
  buildEndpoints,
  endpointsController,
  endpointsLabel,
  sliceController,
  sliceLabels,
} from './build-endpoints.ts'
import { type EndpointsResource, endpoints as endpointsType } from './resources.ts'

/**
 * Keeps EndpointSlices and Endpoints of every service that has a selector. Resolves when it works, and goes on until
 * the signal aborts.
 */
export async function startEndpointSliceController(
  { kube, log }: { kube: KubeClient; log: Log },
  signal: AbortSignal,
): Promise<void> {
  const watched: Watched = {
    services: createInformer(kube, serviceType, { log }),
    pods: createInformer(kube, podType, { log }),
    slices: createInformer(kube, sliceType, { labelSelector: `${sliceLabels.managedBy}=${sliceController}`, log }),
    endpoints: createInformer(kube, endpointsType, { labelSelector: `${endpointsLabel}=${endpointsController}`, log }),
  }
  const queue = new Workqueue({ name: 'endpoints', reconcile: (key) => reconcile(kube, watched, key), log })
  await Promise.all(Object.values(watched).map((informer) => informer.start(signal)))
  watched.services.on(({ object }) => queue.add(keyOf(object)))
  watched.slices.on(({ object }) => queue.add(serviceKeyOf(object)))
  watched.endpoints.on(({ object }) => queue.add(keyOf(object)))
  watched.pods.on((event) => {
    const versions = event.type === 'updated' ? [event.before, event.object] : [event.object]
    for (const key of new Set(versions.flatMap((pod) => servicesOf(watched.services, pod)))) queue.add(key)
  })
  signal.addEventListener('abort', () => void queue.stop(), { once: true })
}

interface Watched {
  services: Informer<ServiceResource>
  pods: Informer<PodResource>
  slices: Informer<EndpointSliceResource>
  endpoints: Informer<EndpointsResource>
}

function servicesOf(services: Informer<ServiceResource>, pod: PodResource): string[] {
  const labels = pod.metadata.labels ?? {}
  return services
    .list()
    .filter((service) => service.metadata.namespace === pod.metadata.namespace && hasSelector(service))
    .filter(({ spec }) => Object.entries(spec?.selector ?? {}).every(([key, value]) => labels[key] === value))
    .map(keyOf)
}

function serviceKeyOf({ metadata }: EndpointSliceResource): string {
  return `${metadata.namespace}/${metadata.labels?.[sliceLabels.serviceName] ?? ''}`
}

/** Services without a selector have endpoints that others write; external names have none. */
function hasSelector({ spec }: ServiceResource): boolean {
  return Object.keys(spec?.selector ?? {}).length > 0 && spec?.type !== 'ExternalName'
}

async function reconcile(kube: KubeClient, watched: Watched, key: string): Promise<void> {
  const [namespace = '', name = ''] = key.split('/')
  const found = watched.services.get(name, namespace)
  const service = found !== undefined && hasSelector(found) ? found : undefined
  await Promise.all([syncSlices(kube, watched, { key, service }), syncEndpoints(kube, watched, { key, service })])
}

interface Target {
  key: string
  service: ServiceResource | undefined
}

async function syncSlices(kube: KubeClient, watched: Watched, { key, service }: Target): Promise<void> {
  const pods = watched.pods.list()
  const actual = watched.slices.list().filter((slice) => serviceKeyOf(slice) === key)
  const desired = service === undefined ? [] : buildEndpointSlices(service, pods)
  const delta = computeDelta({
    ...{ desired, actual, desiredKey: keyOf, actualKey: keyOf },
    isEqual: (a, b) =>
      isDeepStrictEqual([a.endpoints, a.ports, a.metadata.labels], [b.endpoints, b.ports, b.metadata.labels]),
  })
  // Removed first: for a moment a client may see an endpoint not at all, but never twice.
  for (const { metadata } of delta.remove) {
    await kube.delete(sliceType, metadata.name, { namespace: metadata.namespace, ignoreNotFound: true })
  }
  for (const slice of delta.create) await kube.create(sliceType, slice)
  for (const { desired: next, actual: old } of delta.update) {
    const { resourceVersion = '' } = old.metadata
    await kube.update(sliceType, { ...next, metadata: { ...next.metadata, resourceVersion } })
  }
}

async function syncEndpoints(kube: KubeClient, watched: Watched, { key, service }: Target): Promise<void> {
  const [namespace = '', name = ''] = key.split('/')
  const actual = watched.endpoints.get(name, namespace)
  if (service === undefined) {
    if (actual !== undefined) await kube.delete(endpointsType, name, { namespace, ignoreNotFound: true })
    return
  }
  const desired = buildEndpoints(service, watched.pods.list())
  if (actual === undefined) await kube.create(endpointsType, desired)
  else if (!isDeepStrictEqual(desired.subsets ?? [], actual.subsets ?? [])) {
    const { resourceVersion = '' } = actual.metadata
    await kube.update(endpointsType, { ...desired, metadata: { ...desired.metadata, resourceVersion } })
  }
}
