import type { Answer, ResourceRequest } from '../api.ts'
import type { Body } from '../http/body.ts'
import { objectBody } from '../http/body.ts'
import { groupVersionOf } from '../resources/resource.ts'

/** Answers a review: who one is, and that one may do it. Everyone with a certificate of the lab is an administrator. */
export function review(request: ResourceRequest, body: Body): Answer {
  const { kind } = request.resource
  const status =
    kind === 'SelfSubjectReview'
      ? { userInfo: { username: request.user.name, groups: [...request.user.groups, 'system:authenticated'] } }
      : { allowed: true, reason: 'every client of the lab is an administrator' }
  const { spec } = objectBody(body)
  const head = { kind, apiVersion: groupVersionOf(request.resource), metadata: { creationTimestamp: null } }
  return { code: 201, body: { ...head, ...(spec === undefined ? {} : { spec }), status } }
}
