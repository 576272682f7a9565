import { ConfigError } from '../../../base/errors.ts'
import { type Family, familyOf, isAddress } from '../../../base/ip.ts'
import type { NetworkConfig, NetworkConfigList } from '../../../cni/request.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import {
  defaultNetworkAnnotation,
  type NetworkAttachmentDefinition,
  networksAnnotation,
} from '../../../kube/resources/net-attach-def.ts'
import {
  NetworkAnnotationError,
  type NetworkSelection,
  parseNetworks,
} from '../../../kube/resources/network-selection.ts'
import { ovnTypes, parseOvnConfig } from '../config.ts'

/** Whether a pod gets a port on the cluster network of OVN. */
export type PodAnswer =
  | { readonly wants: 'nothing' }
  /** Of some families the default route is asked of a network by name; of the others it is OVN's to give. */
  | { readonly wants: 'port'; readonly selection: NetworkSelection; readonly defaultFamilies: readonly Family[] }
  /**
   * It names networks, but which of them is ours cannot be told, or not be given. A running pod keeps what it has; one
   * without a place gets none. The reason is absent where the meta-plugin on the node reports it.
   */
  | { readonly wants: 'unknown'; readonly reason?: string }

type FindNad = (name: string, namespace: string) => NetworkAttachmentDefinition | undefined

/**
 * Only pods that name one of our networks get anything. While the annotation cannot be read, or a network that it names
 * is not there, has no readable configuration or a wrong one, the answer is `unknown`: editing a pod's annotation or a
 * definition by mistake must not cut a running pod off.
 */
export function selectPod(pod: PodResource, findNad: FindNad): PodAnswer {
  if (!isLive(pod) || pod.spec?.hostNetwork === true || pod.spec?.nodeName === undefined) return { wants: 'nothing' }
  const { selections, isReadable } = selectionsOf(pod)
  try {
    const named = selections.map((selection) => ({ selection, ownership: ownershipOf(findNad, selection) }))
    const [first, ...more] = named.filter(({ ownership }) => ownership === 'ours')
    if (more.length > 0) return unknown('the cluster network of OVN can be attached to a pod only once')
    if (first !== undefined) {
      const asked = selections.flatMap(({ defaultRoute = [] }) => defaultRoute.filter(isAddress).map(familyOf))
      const defaultFamilies = ([4, 6] as const).filter((family) => !asked.includes(family))
      return { wants: 'port', selection: first.selection, defaultFamilies }
    }
    const isKnown = isReadable && named.every(({ ownership }) => ownership === 'others')
    return { wants: isKnown ? 'nothing' : 'unknown' }
  } catch (error) {
    if (error instanceof ConfigError) return unknown(error.message)
    throw error
  }
}

/** A pod whose containers have ended needs no network any more, whether or not it is deleted. */
export function isLive(pod: PodResource): boolean {
  return pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'
}

/** What the annotations that can be read name, and whether all of them can. */
export function selectionsOf(pod: PodResource): { selections: NetworkSelection[]; isReadable: boolean } {
  const { namespace = 'default', annotations = {} } = pod.metadata
  const read = [networksAnnotation, defaultNetworkAnnotation].map((key) => {
    try {
      return parseNetworks(annotations[key], namespace).selections
    } catch (error) {
      if (error instanceof NetworkAnnotationError) return undefined
      throw error
    }
  })
  return { selections: read.flatMap((found) => found ?? []), isReadable: !read.includes(undefined) }
}

/** Whose network it is: secondary networks are others'. Throws ConfigError for a configuration that is wrong. */
function ownershipOf(findNad: FindNad, { name, namespace }: NetworkSelection): 'ours' | 'others' | 'unknown' {
  const list = findConfig(findNad(name, namespace)?.spec?.config)
  const type: unknown = list?.plugins[0]?.type
  if (list === undefined || typeof type !== 'string' || type === '') return 'unknown'
  if (!(ovnTypes as readonly string[]).includes(type) || list.plugins[0]?.topology !== undefined) return 'others'
  parseOvnConfig(list)
  return 'ours'
}

function findConfig(text: string | undefined): NetworkConfigList | undefined {
  try {
    const config = JSON.parse(text ?? '') as NetworkConfig & { plugins?: NetworkConfig[] }
    return { cniVersion: config.cniVersion, name: config.name, plugins: config.plugins ?? [config] }
  } catch {
    return undefined
  }
}

function unknown(reason: string): PodAnswer {
  return { wants: 'unknown', reason }
}
