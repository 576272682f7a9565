import type { Api } from '../api.ts'
import { isObject, listAt, objectAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { badRequest, notFound, StatusError } from '../status.ts'

/** A container and the kubelet that runs it. */
export interface ContainerTarget {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly node: string
  /** Unix socket of the node's kubelet. */
  readonly socketPath: string
  /** Whether the pod's status says that the container runs; undefined when it says nothing. */
  readonly isRunning: boolean | undefined
}

const podKind = { group: '', plural: 'pods', kind: 'Pod' }

/**
 * Finds the container that a request means: the named one, else the pod's default or only one. Throws 404 without the
 * pod, 400 when the container is unknown or not unique or the pod has no node, 503 when the node's kubelet is unknown.
 */
export function findContainer(
  api: Api,
  place: { namespace: string; pod: string; container: string | undefined },
): ContainerTarget {
  const { namespace, pod: name } = place
  const pod = api.store.get('/pods', `${namespace}/${name}`)?.object
  if (pod === undefined) throw notFound(podKind, name)
  const container = chooseContainer(pod, place.container)
  const node = textAt(pod, 'spec', 'nodeName') ?? ''
  if (node === '') throw badRequest(`pod ${name} does not have a host assigned`)
  const socketPath = api.kubeletSocket(node)
  if (socketPath === undefined) throw unreachable(node, 'no such node in this lab')
  return { namespace, pod: name, container, node, socketPath, isRunning: isRunning(pod, container) }
}

/** The kubelet of a node does not answer. */
export function unreachable(node: string, why: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', `cannot reach the kubelet of node ${node}: ${why}`)
}

function chooseContainer(pod: ApiObject, asked: string | undefined): string {
  const { name } = pod.metadata
  const names = ['containers', 'initContainers', 'ephemeralContainers']
    .flatMap((list) => listAt(pod, 'spec', list))
    .map((one) => textAt(one, 'name') ?? '')
  if (asked !== undefined && asked !== '') {
    if (names.includes(asked)) return asked
    throw badRequest(`container ${asked} is not valid for pod ${name}: choose one of: [${names.join(' ')}]`)
  }
  const main = listAt(pod, 'spec', 'containers').map((one) => textAt(one, 'name') ?? '')
  const preferred = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container']
  if (preferred !== undefined && names.includes(preferred)) return preferred
  const [only] = main
  if (main.length === 1 && only !== undefined) return only
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`)
}

function isRunning(pod: ApiObject, container: string): boolean | undefined {
  const status = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses']
    .flatMap((list) => listAt(pod, 'status', list))
    .find((one) => textAt(one, 'name') === container)
  return status === undefined ? undefined : isObject(objectAt(status, 'state').running)
}
