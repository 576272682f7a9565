import type { Log } from '../../../base/log.ts'
import { waitFor } from '../../../base/observable.ts'
import type { Informer, KubeClient } from '../../../kube/api.ts'
import { createInformer } from '../../../kube/informer.ts'
import {
  type EndpointSliceResource,
  endpointSlices,
  type ServiceResource,
  services,
} from '../../../kube/resources/core.ts'

export interface ServiceSourceOptions {
  readonly kube: KubeClient
  readonly log: Log
  readonly nodeName: string
  readonly onChange: () => void
}

export interface KnownServices {
  readonly services: readonly ServiceResource[]
  /** Only endpoints of this node are in them. */
  readonly slices: readonly EndpointSliceResource[]
}

/** Services and their endpoints, watched only while addresses of services are announced: most clusters announce none. */
export class ServiceSource {
  readonly #options: ServiceSourceOptions
  #watched:
    | { services: Informer<ServiceResource>; slices: Informer<EndpointSliceResource>; life: AbortController }
    | undefined

  constructor(options: ServiceSourceOptions) {
    this.#options = options
  }

  /** Throws TimeoutError while the API server does not answer. */
  async read(isWanted: boolean, signal: AbortSignal): Promise<KnownServices> {
    if (!isWanted) {
      this.stop()
      return { services: [], slices: [] }
    }
    const watched = this.#watched ?? this.#watch()
    for (const informer of [watched.services, watched.slices]) {
      await waitFor(informer, () => (informer.hasSynced ? true : undefined), {
        what: 'services and their endpoints',
        timeoutMs: 10_000,
        signal,
      })
    }
    return { services: watched.services.list(), slices: watched.slices.list() }
  }

  stop(): void {
    this.#watched?.life.abort()
    this.#watched = undefined
  }

  #watch() {
    const { kube, log, nodeName, onChange } = this.#options
    const life = new AbortController()
    const ofNode = (slice: EndpointSliceResource): EndpointSliceResource => ({
      ...slice,
      metadata: { ...slice.metadata, managedFields: [] },
      endpoints: (slice.endpoints ?? []).filter((endpoint) => endpoint.nodeName === nodeName),
    })
    const watched = {
      services: createInformer(kube, services, { log }),
      slices: createInformer(kube, endpointSlices, { log, transform: ofNode }),
      life,
    }
    this.#watched = watched
    for (const informer of [watched.services, watched.slices]) {
      informer.onChange(onChange)
      void informer.start(life.signal).catch(() => {})
    }
    return watched
  }
}
