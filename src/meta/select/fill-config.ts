import { selectRuntimeConfig } from '../../cni/config.ts'
import type { NetworkConfig } from '../../cni/request.ts'
import type { NetworkSelection } from '../../kube/resources/network-selection.ts'
import type { DefinitionSources, SelectedAttachment } from './types.ts'

/** Gives a plugin of what is there that which it declares. */
export function withRuntimeConfig(plugin: NetworkConfig, available: Readonly<Record<string, unknown>>): NetworkConfig {
  const selected = selectRuntimeConfig(plugin, available)
  return Object.keys(selected).length === 0 ? plugin : { ...plugin, runtimeConfig: selected }
}

/** `cni-args` go to every plugin; the pod wins over the definition key by key. */
export function withArguments(plugin: NetworkConfig, { cniArgs }: NetworkSelection): NetworkConfig {
  return cniArgs === undefined
    ? plugin
    : { ...plugin, args: { ...plugin.args, cni: { ...plugin.args?.cni, ...cniArgs } } }
}

/** Plugins for devices know their device by one of two names, at the top of the configuration. */
export function withDevice(plugin: NetworkConfig, id: string | undefined): NetworkConfig {
  return id === undefined ? plugin : { ...plugin, deviceID: id, pciBusID: id }
}

/** Tells a plugin that declares CNIDeviceInfoFile where the information on its device is to be. */
export function withDeviceInfoFile(item: SelectedAttachment, options: DefinitionSources): SelectedAttachment {
  const plugins = item.configList.plugins.map((plugin) => {
    const wanted = selectRuntimeConfig(plugin, { CNIDeviceInfoFile: options.deviceInfoFile(item) })
    return Object.keys(wanted).length === 0
      ? plugin
      : { ...plugin, runtimeConfig: { ...plugin.runtimeConfig, ...wanted } }
  })
  return { ...item, configList: { ...item.configList, plugins } }
}
