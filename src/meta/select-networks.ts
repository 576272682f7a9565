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
} from '../kube/resources/net-attach-def.ts'
import { type NetworkSelection, parseNetworks } from '../kube/resources/network-selection.ts'
import type { NetworkDriver, RequestedAttachment } from '../networks/driver.ts'
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
  /** The runtime's own runtimeConfig; for the default network only (NPWG standard, section 7.5). */
  readonly runtimeConfig: Readonly<Record<string, unknown>>
  /** Those of the meta-plugin's configuration; the first is the default network. */
  readonly base: readonly BaseNetwork[]
  findDefinition(namespace: string, name: string): NetworkAttachmentDefinition | undefined
  /** A configuration on this node by its name, for a definition that has none. */
  findFile(name: string): NetworkConfigList | undefined
  findDriver(type: string): NetworkDriver
  /** Whether there is an executable for a type that no driver serves itself. */
  isInstalled(type: string): boolean
  /** Folders with plugin executables, for messages. */
  readonly folders: readonly string[]
}

/**
 * Which networks a pod gets, in the order of their attachment: the default network, further delegates, then the
 * annotation's. Throws NetworkSelectionError.
 */
export function selectNetworks(options: SelectOptions): SelectedAttachment[] {
  const { networks } = options
  const [first, ...others] = options.base.map((network) => selectBase(network, options))
  const defaultNetwork = networks.defaultOverride ? selectDefined(networks.defaultOverride, options) : first
  if (defaultNetwork === undefined) throw new NetworkSelectionError('NoDefaultNetwork', 'there is no default network')
  const additional = networks.selections.map((selection) => selectDefined(selection, options))
  const all = [defaultNetwork, ...others, ...additional].map((item, index) =>
    index === 0 ? { ...item, ifName: options.defaultInterface, isDefault: true } : nameInterface(item, index),
  )
  refuseSharedInterfaces(all)
  return all
}

function selectBase({ networkName, list, nad }: BaseNetwork, options: SelectOptions): SelectedAttachment {
  const driver = driverOf(list, `network "${networkName}"`, options)
  const plugins = list.plugins.map((plugin) => withRuntimeConfig(plugin, options.runtimeConfig))
  return {
    ifName: '',
    networkName,
    driver,
    configList: { ...list, plugins },
    isDefault: false,
    ...(nad === undefined ? {} : { nad }),
    requested: {},
    args: {},
  }
}

function selectDefined(selection: NetworkSelection, options: SelectOptions): SelectedAttachment {
  const { namespace, name } = selection
  const networkName = `${namespace}/${name}`
  refuseIsolated(selection, options)
  const list = configListOf(findDefinition(selection, options), options)
  const driver = driverOf(list, `NetworkAttachmentDefinition ${networkName}`, options)
  const runtimeConfig = requestedRuntimeConfig(selection)
  checkCapabilities({ networkName, driver, list, wanted: Object.keys(runtimeConfig) })
  const plugins = list.plugins.map((plugin) => withSelection(withRuntimeConfig(plugin, runtimeConfig), selection))
  return {
    ifName: selection.interface ?? '',
    networkName,
    driver,
    configList: { ...list, plugins },
    isDefault: false,
    nad: { namespace, name },
    requested: { ips: selection.ips, mac: selection.mac, defaultRoute: selection.defaultRoute },
    args: {
      ...(selection.mac === undefined ? {} : { MAC: selection.mac }),
      ...(selection.ips === undefined ? {} : { IP: selection.ips.join(',') }),
    },
  }
}

function findDefinition(selection: NetworkSelection, options: SelectOptions): NetworkAttachmentDefinition {
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
  options: Pick<SelectOptions, 'findFile' | 'conf'>,
): NetworkConfigList {
  const { namespace = 'default', name } = definition.metadata
  const text = definition.spec?.config ?? ''
  if (text.trim() !== '') return parseDefinition(text, { namespace, name })
  const found = options.findFile(name)
  if (found !== undefined) return found
  throw new NetworkSelectionError(
    'InvalidNetwork',
    `NetworkAttachmentDefinition ${namespace}/${name} has no spec.config, and ${options.conf.confDir} on this node has no network "${name}"`,
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

function driverOf(list: NetworkConfigList, owner: string, options: SelectOptions): NetworkDriver {
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

function refuseIsolated(selection: NetworkSelection, options: SelectOptions): void {
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

/** `cni-args` and `deviceID` go to every plugin; the pod wins over the definition key by key. */
function withSelection(plugin: NetworkConfig, selection: NetworkSelection): NetworkConfig {
  const { cniArgs, deviceId } = selection
  return {
    ...plugin,
    ...(cniArgs === undefined ? {} : { args: { ...plugin.args, cni: { ...plugin.args?.cni, ...cniArgs } } }),
    ...(deviceId === undefined ? {} : { deviceID: deviceId, pciBusID: deviceId }),
  }
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
