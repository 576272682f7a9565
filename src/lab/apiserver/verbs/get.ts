import type { Api, ResourceRequest } from '../api.ts'
import { presenterFor } from '../http/present.ts'
import { storeKey } from '../resources/resource.ts'
import { notFound } from '../status.ts'

/** One object as JSON text in the form asked for. Throws 404. */
export async function getAsText(api: Api, request: ResourceRequest, name: string): Promise<string> {
  const { resource, namespace } = request
  const stored = api.store.get(resource.collection, storeKey(resource, name, namespace))
  await api.store.durable()
  if (stored === undefined) throw notFound(resource, name)
  return presenterFor(request).one(stored)
}
