import type { NetworkAttachmentDefinition } from '../kube/resources/net-attach-def.ts'
import { type MetaConfig, parseMetaConfig } from '../meta/net-conf.ts'
import { drivers } from '../networks/registry.ts'

/** What is known besides the object that is checked. */
export interface LintContext {
  readonly definitions: readonly NetworkAttachmentDefinition[]
  /** There are no other definitions: the cluster was asked. Otherwise one may be where nobody has looked. */
  readonly isComplete: boolean
  /** The meta-plugin's configuration, as far as it decides what a pod may have. */
  readonly conf: MetaConfig
}

export interface LintOptions {
  /** Further definitions, beside those among the objects. @default none */
  readonly definitions?: readonly NetworkAttachmentDefinition[]
  /** @default false */
  readonly isComplete?: boolean
  /** Pods may use definitions of their own namespace and of these only. @default no isolation */
  readonly globalNamespaces?: readonly string[] | undefined
}

/** The context for these options. */
export function buildContext(options: LintOptions): LintContext {
  const { globalNamespaces, definitions = [], isComplete = false } = options
  const isolation =
    globalNamespaces === undefined
      ? {}
      : { namespaceIsolation: true, globalNamespaces: globalNamespaces.join(',') || 'default' }
  // Any default network will do: nothing about it is checked.
  const type = drivers.find((driver) => driver.capabilities.canBeDefault)?.types[0] ?? 'none'
  const delegates = [{ cniVersion: '1.0.0', name: 'default-network', type }]
  const conf = parseMetaConfig({ cniVersion: '1.0.0', name: 'twinlane', type: 'twinlane', delegates, ...isolation })
  return { definitions, isComplete, conf }
}
