import { parseConfigList } from '../../cni/config.ts'
import { codeOf } from '../../cni/format-error.ts'
import type { NetworkConfigList } from '../../cni/request.ts'
import { type NetworkAttachmentDefinition, networksAnnotation } from '../../kube/resources/net-attach-def.ts'
import type { NetworkSelection } from '../../kube/resources/network-selection.ts'
import type { NetworkDriver } from '../../networks/driver.ts'
import { NetworkSelectionError } from './error.ts'
import type { DefinitionSources, SelectOptions } from './types.ts'

/** Throws NetworkSelectionError. */
export function findDefinition(selection: NetworkSelection, options: DefinitionSources): NetworkAttachmentDefinition {
  const { namespace, name } = selection
  const found = options.findDefinition(namespace, name)
  if (found !== undefined) return found
  throw new NetworkSelectionError('NoNetworkFound', `there is no NetworkAttachmentDefinition ${namespace}/${name}`, {
    fix: `Create it, or correct the name in the pod's annotation ${networksAnnotation}.`,
  })
}

/** The configuration of a definition, or, when it has none, the one of its name on this node (NPWG standard, section 4.1). */
export function configListOf(
  definition: NetworkAttachmentDefinition,
  options: Pick<SelectOptions, 'findFile' | 'fileProblems' | 'conf'>,
): NetworkConfigList {
  const { namespace = 'default', name } = definition.metadata
  const text = definition.spec?.config ?? ''
  if (text.trim() !== '') return parseDefinition(text, { namespace, name })
  const found = options.findFile(name)
  if (found !== undefined) return found
  throw new NetworkSelectionError(
    'InvalidNetwork',
    `NetworkAttachmentDefinition ${namespace}/${name} has no spec.config, and ${options.conf.confDir} on this node has no network "${name}"${options.fileProblems.map((problem) => ` (${problem})`).join('')}`,
    { fix: 'Put the CNI configuration into spec.config, or into a file there.' },
  )
}

function parseDefinition(text: string, { namespace, name }: { namespace: string; name: string }): NetworkConfigList {
  try {
    return parseConfigList(text, { defaultName: name })
  } catch (cause) {
    throw new NetworkSelectionError(
      'InvalidNetwork',
      `spec.config of NetworkAttachmentDefinition ${namespace}/${name} cannot be used`,
      { code: codeOf(cause), fix: `Correct it: kubectl edit nad -n ${namespace} ${name}`, cause },
    )
  }
}

/** Which driver serves a configuration. Throws NetworkSelectionError for a plugin that is not on this node. */
export function driverOf(list: NetworkConfigList, owner: string, options: DefinitionSources): NetworkDriver {
  const [first, ...rest] = list.plugins
  const driver = options.findDriver(first?.type ?? '')
  const served = driver.types.includes(first?.type ?? '')
  const unknown = [...(served || first === undefined ? [] : [first]), ...(served ? [] : rest)].find(
    (plugin) => !options.isInstalled(plugin.type),
  )
  if (unknown === undefined) return driver
  throw new NetworkSelectionError(
    'UnknownNetworkType',
    `${owner} has the CNI type "${unknown.type}", and there is no such plugin in ${options.folders.join(', ')}`,
    { fix: 'Install the plugin there, or correct the type.' },
  )
}
