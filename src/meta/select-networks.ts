import { resourceNameOf } from '../kube/resources/net-attach-def.ts'
import type { NetworkSelection } from '../kube/resources/network-selection.ts'
import type { AssignedDevice } from '../networks/driver.ts'
import { createDeviceAssignment } from './assign-devices.ts'
import { requestedRuntimeConfig } from './runtime-config.ts'
import { configListOf, driverOf, findDefinition } from './select/definition.ts'
import { NetworkSelectionError } from './select/error.ts'
import { withArguments, withDevice, withDeviceInfoFile, withRuntimeConfig } from './select/fill-config.ts'
import { refuseIsolated, refuseSharedInterfaces, refuseUndeclared } from './select/refuse.ts'
import type { BaseNetwork, DefinitionSources, SelectedAttachment, SelectOptions } from './select/types.ts'

/** One network for a pod that has its others already. Throws NetworkSelectionError. */
export function selectAdditional(
  selection: NetworkSelection & { readonly interface: string },
  sources: DefinitionSources,
): SelectedAttachment {
  return withDeviceInfoFile(selectDefined(selection, sources, createDeviceAssignment(sources.devices)), sources)
}

/**
 * Which networks a pod gets, in the order of their attachment: the default network, further delegates, then the
 * annotation's. Throws NetworkSelectionError.
 */
export function selectNetworks(options: SelectOptions): SelectedAttachment[] {
  const { networks, base } = options
  const assign = createDeviceAssignment(options.devices)
  const [first, ...others] = base
  if (first === undefined) throw new NetworkSelectionError('NoDefaultNetwork', 'there is no default network')
  const override = networks.defaultOverride
  const selected = [
    override === undefined
      ? selectBase(first, options, { assign, runtimeConfig: options.runtimeConfig })
      : selectOverride(override, options, assign),
    ...others.map((network) => selectBase(network, options, { assign, runtimeConfig: {} })),
    ...networks.selections.map((selection) => selectDefined(selection, options, assign)),
  ]
  const all = selected.map((item, index) =>
    index === 0 ? { ...item, ifName: options.defaultInterface, isDefault: true } : nameInterface(item, index),
  )
  refuseSharedInterfaces(all)
  return all.map((item) => withDeviceInfoFile(item, options))
}

type Assign = (resourceName: string, owner: string) => AssignedDevice

/** How an attachment gets what does not stand in its definition. */
interface Provision {
  readonly assign: Assign
  /** The runtime's, for the default network. */
  readonly runtimeConfig: Readonly<Record<string, unknown>>
}

function selectBase(network: BaseNetwork, options: SelectOptions, provision: Provision): SelectedAttachment {
  const { networkName, list, nad, resourceName } = network
  const driver = driverOf(list, `network "${networkName}"`, options)
  const device = resourceName === undefined ? undefined : provision.assign(resourceName, networkName)
  const available = { ...provision.runtimeConfig, ...(device === undefined ? {} : { deviceID: device.id }) }
  const plugins = list.plugins.map((plugin) => withDevice(withRuntimeConfig(plugin, available), device?.id))
  return {
    ifName: '',
    networkName,
    driver,
    configList: { ...list, plugins },
    isDefault: false,
    ...(nad === undefined ? {} : { nad }),
    requested: device === undefined ? {} : { device },
    args: {},
  }
}

/** Where the default network's definitions are kept, every pod may choose its default network from. */
function selectOverride(selection: NetworkSelection, options: SelectOptions, assign: Assign): SelectedAttachment {
  if (selection.namespace !== options.conf.multusNamespace) refuseIsolated(selection, options)
  return defineAttachment(selection, options, { assign, runtimeConfig: options.runtimeConfig })
}

function selectDefined(selection: NetworkSelection, options: DefinitionSources, assign: Assign): SelectedAttachment {
  refuseIsolated(selection, options)
  return { ...defineAttachment(selection, options, { assign, runtimeConfig: {} }), selection }
}

function defineAttachment(
  selection: NetworkSelection,
  options: DefinitionSources,
  provision: Provision,
): SelectedAttachment {
  const { namespace, name } = selection
  const networkName = `${namespace}/${name}`
  const definition = findDefinition(selection, options)
  const list = configListOf(definition, options)
  const resourceName = resourceNameOf(definition)
  const driver = driverOf(list, `NetworkAttachmentDefinition ${networkName}`, options)
  const requested = requestedRuntimeConfig(selection)
  refuseUndeclared({ networkName, driver, list, wanted: Object.keys(requested) })
  const device = resourceName === undefined ? undefined : provision.assign(resourceName, networkName)
  const deviceID = device?.id ?? selection.deviceId
  const available = { ...provision.runtimeConfig, ...requested, deviceID }
  const plugins = list.plugins.map((plugin) =>
    withDevice(withArguments(withRuntimeConfig(plugin, available), selection), deviceID),
  )
  return {
    ifName: selection.interface ?? '',
    networkName,
    driver,
    configList: { ...list, plugins },
    isDefault: false,
    nad: { namespace, name },
    requested: {
      ips: selection.ips,
      mac: selection.mac,
      defaultRoute: selection.defaultRoute,
      ...(device === undefined ? {} : { device }),
    },
    args: {
      ...(selection.mac === undefined ? {} : { MAC: selection.mac }),
      ...(selection.ips === undefined ? {} : { IP: selection.ips.join(',') }),
    },
  }
}

/** Without a name of its own an interface is called after its place in the whole list, as Multus does. */
function nameInterface(item: SelectedAttachment, index: number): SelectedAttachment {
  return item.ifName === '' ? { ...item, ifName: `net${index}` } : item
}
