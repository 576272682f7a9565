import { cniErrorCode } from '../../cni/errors.ts'
import type { NetworkConfigList } from '../../cni/request.ts'
import type { NetworkSelection } from '../../kube/resources/network-selection.ts'
import type { NetworkDriver } from '../../networks/driver.ts'
import { NetworkSelectionError } from './error.ts'
import type { DefinitionSources, SelectedAttachment } from './types.ts'

/** With `namespaceIsolation`. Throws NetworkSelectionError. */
export function refuseIsolated(selection: NetworkSelection, options: DefinitionSources): void {
  const { conf, podNamespace } = options
  const { namespace, name } = selection
  if (!conf.namespaceIsolation || namespace === podNamespace || conf.globalNamespaces.includes(namespace)) return
  throw new NetworkSelectionError(
    'NamespaceIsolation',
    `a pod of namespace ${podNamespace} may not use NetworkAttachmentDefinition ${namespace}/${name}`,
    {
      fix: `Use one of ${[podNamespace, ...conf.globalNamespaces].join(', ')}, or add ${namespace} to globalNamespaces.`,
    },
  )
}

/** The standard wants a request that no plugin honours to fail; Multus drops it in silence. Throws NetworkSelectionError. */
export function refuseUndeclared(options: {
  networkName: string
  driver: NetworkDriver
  list: NetworkConfigList
  wanted: readonly string[]
}): void {
  const { driver, list } = options
  const missing = options.wanted.find(
    (key) =>
      !driver.capabilities.runtimeConfig.includes(key) &&
      !list.plugins.some((plugin) => plugin.capabilities?.[key] === true),
  )
  if (missing === undefined) return
  throw new NetworkSelectionError(
    'UnsupportedRequest',
    `the pod asks network ${options.networkName} for "${missing}", which no plugin of it declares`,
    {
      code: cniErrorCode.unsupportedField,
      fix: `Remove it from the pod's annotation, or add "capabilities": {"${missing}": true} to the network's configuration if its plugin honours it.`,
    },
  )
}

/** Throws NetworkSelectionError when two networks would be one interface. */
export function refuseSharedInterfaces(all: readonly Pick<SelectedAttachment, 'ifName' | 'networkName'>[]): void {
  const owner = new Map<string, string>()
  for (const { ifName, networkName } of all) {
    const other = owner.get(ifName)
    if (other !== undefined) {
      throw new NetworkSelectionError(
        'InterfaceNameTaken',
        `networks ${other} and ${networkName} would both be the interface "${ifName}"`,
        { fix: `Ask for another name than "${ifName}" in the annotation.` },
      )
    }
    owner.set(ifName, networkName)
  }
}
