import type { Answer, Api, ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { objectBody } from '../http/body.ts'
import { at, isObject, listAt, objectAt, textAt } from '../json.ts'
import { draftOf, timestamp } from '../object.ts'
import { storeKey } from '../resources/resource.ts'
import { badRequest, conflict } from '../status.ts'
import { removeObject } from './remove.ts'
import { getObject } from './write.ts'

/** POST …/binding: the scheduler's decision. Throws 409 when the pod has a node or is being deleted. */
export function bind(api: Api, request: ResourceRequest, name: string, body: Body): Answer {
  const binding = objectBody(body)
  const node = textAt(binding, 'target', 'name')
  if (node === undefined) throw badRequest('Binding: target.name: Required value')
  const before = getObject(api, request, name)
  const current = textAt(before, 'spec', 'nodeName') ?? ''
  if (current !== '') throw conflict(request.resource, name, `pod ${name} is already assigned to node "${current}"`)
  if (before.metadata.deletionTimestamp !== undefined) {
    throw conflict(request.resource, name, `pod ${name} is being deleted, cannot be assigned to a host`)
  }
  const pod = draftOf(before)
  objectAt(pod, 'spec').nodeName = node
  pod.status = { ...objectAt(pod, 'status'), conditions: withScheduled(listAt(pod, 'status', 'conditions')) }
  api.store.put(request.resource.collection, storeKey(request.resource, name, request.namespace), pod)
  return success(201)
}

/** POST of a Binding as an object of its own: its name is the pod's. */
export function bindByName(api: Api, request: ResourceRequest, body: Body): Answer {
  const name = textAt(objectBody(body), 'metadata', 'name')
  const pods = api.resources.find('', 'v1', 'pods')
  if (name === undefined || pods === undefined) throw badRequest('Binding: metadata.name: Required value')
  return bind(api, { ...request, resource: pods }, name, body)
}

function withScheduled(conditions: unknown[]): unknown[] {
  const others = conditions.filter((one) => textAt(one, 'type') !== 'PodScheduled')
  return [...others, { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: timestamp() }]
}

/** POST …/eviction: a deletion, as no disruption budgets are served. */
export function evict(api: Api, request: ResourceRequest, name: string, body: Body): Answer {
  const options = isObject(body.value) ? at(body.value, 'deleteOptions', 'gracePeriodSeconds') : undefined
  const graceSeconds = typeof options === 'number' ? options : undefined
  removeObject(api, request.resource, getObject(api, request, name), { graceSeconds })
  return success(201)
}

function success(code: number): Answer {
  return { code, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code } }
}
