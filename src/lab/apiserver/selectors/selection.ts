import type { ResourceRequest } from '../api.ts'
import { type ApiObject, labelsOf } from '../object.ts'
import type { Stored } from '../storage/history.ts'
import { parseFieldSelector } from './field-selector.ts'
import { parseLabelSelector } from './label-selector.ts'

/** Which objects of a collection a request is about. */
export interface Selection {
  /** Start of the keys in the store: one namespace, or '' for all. */
  readonly prefix: string
  matches(object: ApiObject): boolean
}

/** Reads labelSelector and fieldSelector; a name in the path selects that object alone. Throws 400. */
export function selectionOf(request: ResourceRequest): Selection {
  const byLabel = parseLabelSelector(request.query.get('labelSelector') ?? '')
  const byField = parseFieldSelector(request.query.get('fieldSelector') ?? '')
  const { name, resource, namespace } = request
  return {
    prefix: resource.isNamespaced && namespace !== undefined ? `${namespace}/` : '',
    matches: (object) =>
      (name === undefined || object.metadata.name === name) && byLabel(labelsOf(object)) && byField(object),
  }
}

export function select(items: readonly Stored[], selection: Selection): Stored[] {
  return items.filter((item) => selection.matches(item.object))
}
