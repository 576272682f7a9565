import { describeError } from '../base/errors.ts'
import { isAlreadyExists, isConflict, isNotFound, KubeError } from '../kube/errors.ts'
import { routedResources } from '../networks/routed/resources.ts'

/**
 * One line for whoever typed the command. What the API server says stands by itself, for which request it answered says
 * nothing to them. Of Calico's kinds it is said in calicoctl's words.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof KubeError) || error.said === undefined) return describeError(error)
  const object = calicoObject(error)
  if (object === undefined) return error.said
  if (isNotFound(error)) return `resource does not exist: ${object}`
  if (isAlreadyExists(error)) return `resource already exists: ${object}`
  return isConflict(error) ? `update conflict: ${object}: ${error.said}` : error.said
}

/** `IPPool(main)` */
function calicoObject({ details }: KubeError): string | undefined {
  const type = routedResources.find(({ group, plural }) => group === details?.group && plural === details.kind)
  return type === undefined || details?.name === undefined ? undefined : `${type.kind}(${details.name})`
}
