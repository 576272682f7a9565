import type { ObjectMeta } from '../../kube/resources/meta.ts'
import { clone, isObject, type JsonObject, objectAt } from './json.ts'

/** Any Kubernetes object with its identity filled in. Stored objects are shared and never changed. */
export interface ApiObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [field: string]: unknown
}

/** The object's labels. */
export function labelsOf(object: JsonObject | ApiObject): Record<string, string> {
  return objectAt(object, 'metadata', 'labels') as Record<string, string>
}

/** A copy that may be changed. */
export function draftOf(object: ApiObject): ApiObject {
  return clone(object)
}

/** Takes a decoded body as an object: fills in an absent metadata. */
export function asApiObject(body: JsonObject): ApiObject {
  if (!isObject(body.metadata)) body.metadata = {}
  return body as unknown as ApiObject
}

/** Time as Kubernetes writes it: RFC 3339 in UTC, whole seconds. */
export function timestamp(date: Date = new Date()): string {
  return `${date.toISOString().slice(0, 19)}Z`
}
