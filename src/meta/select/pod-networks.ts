import type { PodResource } from '../../kube/resources/core.ts'
import { defaultNetworkAnnotation, networksAnnotation } from '../../kube/resources/net-attach-def.ts'
import { type NetworkSelection, parseNetworks } from '../../kube/resources/network-selection.ts'
import type { MetaConfig } from '../net-conf.ts'
import { NetworkSelectionError } from './error.ts'

/** What a pod's annotations ask for. */
export interface PodNetworks {
  /** Replaces the default network. */
  readonly defaultOverride: NetworkSelection | undefined
  readonly selections: readonly NetworkSelection[]
  readonly warnings: readonly string[]
}

/** Throws NetworkAnnotationError. */
export function readPodNetworks(
  pod: Pick<PodResource, 'metadata'>,
  conf: MetaConfig,
  defaultInterface: string,
): PodNetworks {
  const { annotations = {}, namespace = 'default' } = pod.metadata
  const networks = parseNetworks(annotations[networksAnnotation], namespace, { defaultInterface })
  const override = parseNetworks(annotations[defaultNetworkAnnotation], conf.multusNamespace, { defaultInterface: '' })
  if (override.selections.length > 1) {
    throw new NetworkSelectionError(
      'InvalidDefaultNetwork',
      `annotation ${defaultNetworkAnnotation} names ${override.selections.length} networks`,
      { fix: 'Name exactly one.' },
    )
  }
  return {
    defaultOverride: override.selections[0],
    selections: networks.selections,
    warnings: [...networks.warnings, ...override.warnings],
  }
}

/** Every definition that must be looked up before selectNetworks. */
export function neededDefinitions(networks: PodNetworks): readonly { namespace: string; name: string }[] {
  return networks.defaultOverride === undefined
    ? networks.selections
    : [networks.defaultOverride, ...networks.selections]
}
