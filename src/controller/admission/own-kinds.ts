import { isDeepStrictEqual } from 'node:util'
import { withDeadline } from '../../base/clock.ts'
import type { KubeClient } from '../../kube/api.ts'
import { apiVersionOf, type KubeObject } from '../../kube/resources/meta.ts'
import type { NetworkDriver, ResourceProblem } from '../../networks/driver.ts'
import type { AdmissionRequest } from './review.ts'

const timeoutMs = 1000

/**
 * What the network that owns the kind finds wrong with the object; undefined for kinds that no network has. A write that
 * leaves the spec as it is, is none of its business: what is there already must stay deletable and reportable.
 */
export async function checkOwnKind(
  { object, oldObject }: AdmissionRequest,
  { drivers, kube }: { drivers: readonly NetworkDriver[]; kube: KubeClient },
): Promise<ResourceProblem[] | undefined> {
  if (object === null || object === undefined) return undefined
  const owner = drivers.find(({ resources }) =>
    resources.some((type) => type.kind === object.kind && apiVersionOf(type) === object.apiVersion),
  )
  if (owner === undefined) return undefined
  const isUnchanged = oldObject != null && isDeepStrictEqual(object.spec, oldObject.spec)
  if (isUnchanged || owner.checkResource === undefined) return []
  const before = (oldObject ?? undefined) as KubeObject | undefined
  const check = owner.checkResource(object as unknown as KubeObject, { kube, before })
  return await withDeadline(check, { what: `the check of a ${object.kind}`, timeoutMs })
}
