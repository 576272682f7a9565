import { parseConfigList, selectRuntimeConfig } from '../cni/config.ts'
import { CniError, cniErrorCode } from '../cni/errors.ts'
import { codeOf } from '../cni/format-error.ts'
import type { NetworkConfig, NetworkConfigList } from '../cni/request.ts'
import type { CniResult } from '../cni/result.ts'
import type { PodResource } from '../kube/resources/core.ts'
import {
  defaultNetworkAnnotation,
  type NetworkAttachmentDefinition,
  networksAnnotation,
  resourceNameOf,
} from '../kube/resources/net-attach-def.ts'
import { type NetworkSelection, parseNetworks } from '../kube/resources/network-selection.ts'
import type { AssignedDevice, NetworkDriver, RequestedAttachment } from '../networks/driver.ts'
import { createDeviceAssignment, type PodDevices } from './assign-devices.ts'
import type { MetaConfig } from './net-conf.ts'
import { requestedRuntimeConfig } from './runtime-config.ts'

/** A network that a pod is to be attached to. */
export interface SelectedAttachment {
  readonly ifName: string
  /** `<namespace>/<NAD name>`, or the CNI network's name for a delegate. */
  readonly networkName: string
  readonly driver: NetworkDriver
  /** Complete: runtimeConfig and arguments are filled in. */
  readonly configList: NetworkConfigList
  readonly isDefault: boolean
  readonly nad?: { readonly namespace: string; readonly name: string } | undefined
  readonly requested: RequestedAttachment
  /** What the networks annotation said; absent for what came from the configuration. */
  readonly selection?: NetworkSelection | undefined
  /** Added to CNI_ARGS. */
  readonly args: Readonly<Record<string, string>>
  /** Result of an earlier ADD of the same attachment that was never deleted. */
  readonly prevResult?: CniResult | undefined
}

/** What a pod's annotations ask for. */
export interface PodNetworks {
  /** Replaces the default network. */
  readonly defaultOverride: NetworkSelection | undefined
  readonly selections: readonly NetworkSelection[]
  readonly warnings: readonly string[]
}

/** What a pod asked for cannot be given. `reason` is that of the Event. */
export class NetworkSelectionError extends CniError {
  readonly reason: string

  constructor(reason: string, message: string, options: { code?: number; fix?: string; cause?: unknown } = {}) {
    super(options.code ?? cniErrorCode.invalidNetworkConfig, message, options)
    this.reason = reason
  }
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

/** A network that is attached to every pod. */
export interface BaseNetwork {
  /** `<namespace>/<NAD name>`, or the CNI network's name. */
  readonly networkName: string
  readonly list: NetworkConfigList
  readonly nad?: { readonly namespace: string; readonly name: string } | undefined
  /** Resource whose devices it is made of. */
  readonly resourceName?: string | undefined
}

/** Every definition that must be looked up before selectNetworks. */
export function neededDefinitions(networks: PodNetworks): readonly { namespace: string; name: string }[] {
  return networks.defaultOverride === undefined
    ? networks.selections
    : [networks.defaultOverride, ...networks.selections]
}

export interface SelectOptions {
  readonly conf: MetaConfig
  readonly networks: PodNetworks
  readonly podNamespace: string
  /** CNI_IFNAME: interface of the default network. */
  readonly defaultInterface: string
  /** The runtime's own runtimeConfig; for the default network, or what replaces it, only (NPWG standard, section 7.5). */
  readonly runtimeConfig: Readonly<Record<string, unknown>>
  /** Those of the meta-plugin's configuration; the first is the default network. */
  readonly base: readonly BaseNetwork[]
  findDefinition(namespace: string, name: string): NetworkAttachmentDefinition | undefined
  /** A configuration on this node by its name, for a definition that has none. */
  findFile(name: string): NetworkConfigList | undefined
  /** What is wrong with files in `confDir`; told when a network was not found there. */
  readonly fileProblems: readonly string[]
  /** What the kubelet has given the pod. */
  readonly devices: PodDevices
  /** Where information on an attachment's device is to be (capability CNIDeviceInfoFile). */
  deviceInfoFile(attachment: { networkName: string; ifName: string }): string
  findDriver(type: string): NetworkDriver
  /** Whether there is an executable for a type that no driver serves itself. */
  isInstalled(type: string): boolean
  /** Folders with plugin executables, for messages. */
  readonly folders: readonly string[]
}

/** What selecting a network by its definition needs. */
export type DefinitionSources = Omit<SelectOptions, 'networks' | 'base' | 'runtimeConfig' | 'defaultInterface'>

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
  checkCapabilities({ networkName, driver, list, wanted: Object.keys(requested) })
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

function findDefinition(selection: NetworkSelection, options: DefinitionSources): NetworkAttachmentDefinition {
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

function driverOf(list: NetworkConfigList, owner: string, options: DefinitionSources): NetworkDriver {
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

function refuseIsolated(selection: NetworkSelection, options: DefinitionSources): void {
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

/** The standard wants a request that no plugin honours to fail; Multus drops it in silence. */
function checkCapabilities(options: {
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

function withRuntimeConfig(plugin: NetworkConfig, available: Readonly<Record<string, unknown>>): NetworkConfig {
  const selected = selectRuntimeConfig(plugin, available)
  return Object.keys(selected).length === 0 ? plugin : { ...plugin, runtimeConfig: selected }
}

/** `cni-args` go to every plugin; the pod wins over the definition key by key. */
function withArguments(plugin: NetworkConfig, { cniArgs }: NetworkSelection): NetworkConfig {
  return cniArgs === undefined
    ? plugin
    : { ...plugin, args: { ...plugin.args, cni: { ...plugin.args?.cni, ...cniArgs } } }
}

/** Plugins for devices know their device by one of two names, at the top of the configuration. */
function withDevice(plugin: NetworkConfig, id: string | undefined): NetworkConfig {
  return id === undefined ? plugin : { ...plugin, deviceID: id, pciBusID: id }
}

function withDeviceInfoFile(item: SelectedAttachment, options: DefinitionSources): SelectedAttachment {
  const plugins = item.configList.plugins.map((plugin) => {
    const wanted = selectRuntimeConfig(plugin, { CNIDeviceInfoFile: options.deviceInfoFile(item) })
    return Object.keys(wanted).length === 0
      ? plugin
      : { ...plugin, runtimeConfig: { ...plugin.runtimeConfig, ...wanted } }
  })
  return { ...item, configList: { ...item.configList, plugins } }
}

/** Without a name of its own an interface is called after its place in the whole list, as Multus does. */
function nameInterface(item: SelectedAttachment, index: number): SelectedAttachment {
  return item.ifName === '' ? { ...item, ifName: `net${index}` } : item
}

function refuseSharedInterfaces(all: readonly SelectedAttachment[]): void {
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
