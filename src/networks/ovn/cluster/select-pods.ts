import { ConfigError } from '../../../base/errors.ts'
import { familyOf, isAddress } from '../../../base/ip.ts'
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
  | { readonly wants: 'port'; readonly selection: NetworkSelection; readonly hasOtherDefaultRoute: boolean }
  /** It asked for something that it cannot have. */
  | { readonly wants: 'refusal'; readonly reason: string }

type FindNad = (name: string, namespace: string) => NetworkAttachmentDefinition | undefined

/**
 * Only pods that name one of our networks get anything. An annotation that cannot be read, and a network that is not
 * there (yet), ask for nothing here: the meta-plugin on the node reports them.
 */
export function selectPod(pod: PodResource, findNad: FindNad): PodAnswer {
  if (!isLive(pod) || pod.spec?.hostNetwork === true || pod.spec?.nodeName === undefined) return { wants: 'nothing' }
  const selections = selectionsOf(pod)
  try {
    const ours = selections.filter(({ name, namespace }) => isOurs(findNad(name, namespace)))
    const [first, ...more] = ours
    if (first === undefined) return { wants: 'nothing' }
    if (more.length > 0) return refusal('the cluster network of OVN can be attached to a pod only once')
    return { wants: 'port', selection: first, hasOtherDefaultRoute: selections.some(hasDefaultRoute) }
  } catch (error) {
    if (error instanceof ConfigError) return refusal(error.message)
    throw error
  }
}

/** A pod whose containers have ended needs no network any more, whether or not it is deleted. */
export function isLive(pod: PodResource): boolean {
  return pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'
}

function selectionsOf(pod: PodResource): NetworkSelection[] {
  const { namespace = 'default', annotations = {} } = pod.metadata
  return [networksAnnotation, defaultNetworkAnnotation].flatMap((key) => {
    try {
      return parseNetworks(annotations[key], namespace).selections
    } catch (error) {
      if (error instanceof NetworkAnnotationError) return []
      throw error
    }
  })
}

/** Throws ConfigError for a configuration of our type that is wrong. */
function isOurs(nad: NetworkAttachmentDefinition | undefined): boolean {
  const list = findConfig(nad?.spec?.config)
  if (list === undefined || !(ovnTypes as readonly string[]).includes(list.plugins[0]?.type ?? '')) return false
  parseOvnConfig(list)
  return true
}

function findConfig(text: string | undefined): NetworkConfigList | undefined {
  try {
    const config = JSON.parse(text ?? '') as NetworkConfig & { plugins?: NetworkConfig[] }
    return { cniVersion: config.cniVersion, name: config.name, plugins: config.plugins ?? [config] }
  } catch {
    return undefined
  }
}

function hasDefaultRoute({ defaultRoute }: NetworkSelection): boolean {
  return (defaultRoute ?? []).some((gateway) => isAddress(gateway) && familyOf(gateway) === 4)
}

function refusal(reason: string): PodAnswer {
  return { wants: 'refusal', reason }
}
