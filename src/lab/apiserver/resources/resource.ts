import type { Rules } from '../admission/rules.ts'
import type { Typed } from '../schema/schema.ts'
import type { TableColumns } from '../tables/table.ts'

/** One kind in one version as the API serves it. */
export interface Resource {
  /** '' for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly listKind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly isNamespaced: boolean
  readonly hasStatus: boolean
  /** Served from a CustomResourceDefinition. */
  readonly isCustom: boolean
  /** Verbs that take no stored object, such as a review, are `create` alone. */
  readonly verbs: readonly Verb[]
  readonly subresources: readonly Subresource[]
  /** Name of the collection in the store; the same for all versions of a kind. */
  readonly collection: string
  readonly columns: TableColumns
  readonly rules: Rules
  /** Schema of the whole object and the source of what it refers to; parsed when first asked for. */
  readonly schema: () => Typed
}

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'

/** What is served below one object besides the object itself. */
export interface Subresource {
  readonly name: string
  readonly kind: string
  readonly group: string
  readonly version: string
  readonly verbs: readonly string[]
}

export const everyVerb: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
]

export function groupVersionOf(resource: { group: string; version: string }): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** The key of an object in its collection: `namespace/name`, or `name`. */
export function storeKey(resource: Resource, name: string, namespace: string | undefined): string {
  return resource.isNamespaced ? `${namespace}/${name}` : name
}
