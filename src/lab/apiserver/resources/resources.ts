import type { ApiObject } from '../object.ts'
import type { Store } from '../storage/store.ts'
import { builtinResources } from './builtin.ts'
import { customResourcesOf } from './custom.ts'
import type { Resource } from './resource.ts'

export const crdCollection = 'apiextensions.k8s.io/customresourcedefinitions'

/** Every kind that is served now: the built-in ones and, as they come and go, those of CustomResourceDefinitions. */
export class Resources {
  readonly #builtin: readonly Resource[] = builtinResources
  readonly #custom = new Map<string, readonly Resource[]>()
  #byPath = new Map<string, Resource>()
  #version = 0

  constructor(store: Store) {
    for (const { object } of store.list(crdCollection))
      this.#custom.set(object.metadata.name, customResourcesOf(object))
    this.#index()
    store.onApplied((change) => {
      if (change.collection === crdCollection) this.#learn(change.type, change.stored.object)
    })
  }

  /** Changes whenever the set of kinds or their schemas may have changed. */
  get version(): number {
    return this.#version
  }

  all(): Resource[] {
    return [...this.#byPath.values()]
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#byPath.get(pathOf({ group, version, plural }))
  }

  /** One entry for each collection of the store: its kinds differ only in version. */
  collections(): Resource[] {
    return [...new Map(this.all().map((resource) => [resource.collection, resource])).values()]
  }

  #learn(type: string, crd: ApiObject): void {
    if (type === 'DELETED') this.#custom.delete(crd.metadata.name)
    else this.#custom.set(crd.metadata.name, customResourcesOf(crd))
    this.#index()
  }

  #index(): void {
    const all = [...this.#builtin, ...[...this.#custom.values()].flat()]
    this.#byPath = new Map(all.map((resource) => [pathOf(resource), resource]))
    this.#version++
  }
}

function pathOf({ group, version, plural }: { group: string; version: string; plural: string }): string {
  return `${group}/${version}/${plural}`
}
