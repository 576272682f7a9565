import type { ResourceRequest } from '../api.ts'
import type { ApiObject } from '../object.ts'
import { groupVersionOf, type Resource } from '../resources/resource.ts'
import type { Stored } from '../storage/history.ts'
import { type Form, formOf } from './negotiate.ts'

/** Turns stored objects into the form that a request asked for, as JSON text. */
export interface Presenter {
  readonly form: Form
  one(stored: Stored): string
  list(items: readonly Stored[], metadata: object): string
  /** Like `one`; a table's first event carries the column definitions, the later ones do not. */
  event(stored: Stored): string
}

export function presenterFor(request: ResourceRequest): Presenter {
  const form = formOf(request.accept)
  if (form === 'Table') return new TablePresenter(request)
  if (form === 'object') return new ObjectPresenter(request.resource)
  return new MetadataPresenter()
}

class ObjectPresenter implements Presenter {
  readonly form = 'object'
  readonly #resource: Resource
  readonly #apiVersion: string

  constructor(resource: Resource) {
    this.#resource = resource
    this.#apiVersion = groupVersionOf(resource)
  }

  /** A custom kind may be stored in another version; versions differ in nothing but the name. */
  one(stored: Stored): string {
    if (stored.object.apiVersion === this.#apiVersion) return stored.json
    return JSON.stringify({ ...stored.object, apiVersion: this.#apiVersion })
  }

  list(items: readonly Stored[], metadata: object): string {
    const head = JSON.stringify({ kind: this.#resource.listKind, apiVersion: this.#apiVersion, metadata })
    return `${head.slice(0, -1)},"items":[${items.map((item) => this.one(item)).join(',')}]}`
  }

  event(stored: Stored): string {
    return this.one(stored)
  }
}

class MetadataPresenter implements Presenter {
  readonly form = 'PartialObjectMetadata'

  one(stored: Stored): string {
    return JSON.stringify(partialOf(stored.object))
  }

  list(items: readonly Stored[], metadata: object): string {
    const list = { kind: 'PartialObjectMetadataList', apiVersion: metaVersion, metadata }
    return JSON.stringify({ ...list, items: items.map((item) => partialOf(item.object)) })
  }

  event(stored: Stored): string {
    return this.one(stored)
  }
}

class TablePresenter implements Presenter {
  readonly form = 'Table'
  readonly #resource: Resource
  readonly #include: string
  #hasSentColumns = false

  constructor(request: ResourceRequest) {
    this.#resource = request.resource
    this.#include = request.query.get('includeObject') ?? 'Metadata'
  }

  one(stored: Stored): string {
    return this.#table([stored], { resourceVersion: stored.object.metadata.resourceVersion }, true)
  }

  list(items: readonly Stored[], metadata: object): string {
    return this.#table(items, metadata, true)
  }

  event(stored: Stored): string {
    const isFirst = !this.#hasSentColumns
    this.#hasSentColumns = true
    return this.#table([stored], { resourceVersion: stored.object.metadata.resourceVersion }, isFirst)
  }

  #table(items: readonly Stored[], metadata: object, withColumns: boolean): string {
    const columnDefinitions = withColumns
      ? this.#resource.columns.columns.map((column) => ({ format: '', description: '', priority: 0, ...column }))
      : null
    const rows = items.map(({ object }) => ({
      cells: this.#resource.columns.cells(object),
      ...(this.#include === 'None' ? {} : { object: this.#include === 'Object' ? object : partialOf(object) }),
    }))
    return JSON.stringify({ kind: 'Table', apiVersion: metaVersion, metadata, columnDefinitions, rows })
  }
}

const metaVersion = 'meta.k8s.io/v1'

function partialOf(object: ApiObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata: object.metadata }
}
