import { KubeError } from './errors.ts'
import type { ResourceType } from './resources/meta.ts'

/** URL path of a kind's collection; without a namespace it covers all namespaces. */
export function collectionPath(type: Pick<ResourceType, 'group' | 'version' | 'plural'>, namespace?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  return `${root}${scope}/${type.plural}`
}

/** URL path of one object. Throws KubeError(400) when a namespaced kind is asked for without a namespace. */
export function objectPath(type: ResourceType, name: string, namespace?: string): string {
  if (name === '') throw badRequest(`${type.kind}: the name is empty`)
  return `${scopedCollectionPath(type, namespace)}/${encodeURIComponent(name)}`
}

/** The collection that a new object is posted to. Throws KubeError(400) when a namespaced kind comes without a namespace. */
export function scopedCollectionPath(type: ResourceType, namespace?: string): string {
  if (!type.isNamespaced) return collectionPath(type)
  if (namespace === undefined || namespace === '')
    throw badRequest(`${type.kind} is namespaced: no namespace was given`)
  return collectionPath(type, namespace)
}

/** `path?a=1&b=2`, leaving out what is undefined. */
export function withQuery(path: string, query: Record<string, string | number | boolean | undefined>): string {
  const given = Object.entries(query).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, String(value)]],
  )
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
}

function badRequest(message: string): KubeError {
  return new KubeError(message, { statusCode: 400, reason: 'BadRequest' })
}
