import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '../../base/errors.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { CniRequest, NetworkConfig } from '../../cni/request.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import { type NetworkAttachmentDefinition, resourceNameOf } from '../../kube/resources/net-attach-def.ts'
import { NetworkAnnotationError } from '../../kube/resources/network-selection.ts'
import type { PodDevices } from '../../meta/assign-devices.ts'
import { binFolderOf, isMetaConfig, metaPluginTypes, parseMetaConfig } from '../../meta/net-conf.ts'
import { NetworkSelectionError } from '../../meta/select/error.ts'
import { neededDefinitions, readPodNetworks } from '../../meta/select/pod-networks.ts'
import type { BaseNetwork, DefinitionSources, SelectedAttachment } from '../../meta/select/types.ts'
import { selectNetworks } from '../../meta/select-networks.ts'
import { filesFor, findBaseNetworks, findFile } from '../base-networks.ts'
import { lookUpDefinitions } from '../definition-lookup.ts'
import type { CniContext } from './context.ts'

/**
 * What the pod gets: the default network and what its annotations ask for. Warnings and refusals become events.
 * Throws CniError.
 */
export async function selectForPod(
  request: CniRequest,
  pod: PodResource,
  context: CniContext,
  signal: AbortSignal,
): Promise<SelectedAttachment[]> {
  try {
    return await select(request, pod, context, signal)
  } catch (error) {
    const reason = error instanceof NetworkSelectionError ? error.reason : 'InvalidNetworks'
    context.events.event(pod, 'Warning', reason, describeError(error))
    if (!(error instanceof NetworkAnnotationError)) throw error
    const fix = error.fix === undefined ? {} : { fix: error.fix }
    throw new CniError(cniErrorCode.invalidNetworkConfig, error.message, { cause: error, ...fix })
  }
}

/**
 * What a pod will get when the runtime calls with this configuration, as far as that can be told now. Nobody hears of
 * warnings and refusals: the ADD will tell. Throws CniError.
 */
export async function selectExpected(
  pod: PodResource,
  config: NetworkConfig,
  context: CniContext,
  signal: AbortSignal,
): Promise<SelectedAttachment[]> {
  const request = { config, ifName: 'eth0', containerId: pod.metadata.uid ?? '', args: {} }
  return await select(request, pod, { ...context, events: { ...context.events, event: () => {} } }, signal)
}

/**
 * What a container that is no Kubernetes pod gets: the networks of the configuration, for there is nothing that could
 * ask for more. Throws CniError.
 */
export async function selectForContainer(
  request: CniRequest,
  context: CniContext,
  signal: AbortSignal,
): Promise<SelectedAttachment[]> {
  return await select(request, { metadata: { name: request.containerId, namespace: '' } }, context, signal)
}

/** Throws CniError when a network cannot do without a pod. */
export function refuseWithoutPod(selected: readonly SelectedAttachment[], containerId: string): void {
  const needy = selected.find(({ driver }) => driver.capabilities.needsPod === true)
  if (needy === undefined) return
  throw new CniError(
    cniErrorCode.unknownContainer,
    `network "${needy.networkName}" (${needy.ifName}) is for Kubernetes pods, and container ${containerId} is none`,
    { fix: 'Run it as a pod, or take the network out of the CNI configuration that the container runtime uses.' },
  )
}

async function select(
  request: Requester & Pick<CniRequest, 'ifName'>,
  pod: PodResource,
  context: CniContext,
  signal: AbortSignal,
): Promise<SelectedAttachment[]> {
  const conf = parseMetaConfig(request.config)
  const networks = readPodNetworks(pod, conf, request.ifName)
  for (const warning of networks.warnings) context.events.event(pod, 'Warning', 'NonStandardNetworks', warning)
  const base = await findBaseNetworks(conf, pod.metadata.namespace ?? 'default', context)
  const sources = await findSources({ request, pod, base, needed: neededDefinitions(networks) }, context, signal)
  const runtimeConfig = request.config.runtimeConfig ?? {}
  return selectNetworks({ ...sources, networks, base, defaultInterface: request.ifName, runtimeConfig })
}

/** For whom networks are selected: a request, or the record of one. */
type Requester = Pick<CniRequest, 'config' | 'containerId' | 'args'>

/** What a selection of networks must know of the cluster and of this node. Throws CniError. */
export async function findSources(
  wanted: {
    request: Requester
    pod: PodResource
    base: readonly BaseNetwork[]
    needed: readonly { namespace: string; name: string }[]
  },
  context: CniContext,
  signal: AbortSignal,
): Promise<DefinitionSources> {
  const { request, pod, base, needed } = wanted
  const conf = parseMetaConfig(request.config)
  const folders = binFoldersFor(request, context)
  const findDefinition = await lookUpDefinitions(needed, context)
  const definitions = needed.map(({ namespace, name }) => findDefinition(namespace, name))
  const [files, devices] = await Promise.all([
    filesFor(definitions, conf),
    findDevices({ request, pod, base, definitions }, context, signal),
  ])
  return {
    conf,
    podNamespace: pod.metadata.namespace ?? 'default',
    findDefinition,
    findFile: (name) => findFile(files, name),
    fileProblems: files.problems,
    devices,
    deviceInfoFile: (attachment) => context.devices.infoFile({ ...attachment, containerId: request.containerId }),
    findDriver: (type) => context.networks.findDriver(type),
    isInstalled: (type) => !metaPluginTypes.includes(type) && isInstalled(type, folders),
    folders,
  }
}

/** Folders with plugin executables, the configuration's own first. */
export function binFoldersFor(
  request: Pick<CniRequest, 'config'>,
  context: Pick<CniContext, 'paths'>,
): readonly string[] {
  const own = binFolderOf(request.config)
  return own === undefined ? context.paths.cniBinFolders : [own, ...context.paths.cniBinFolders]
}

/** The kubelet is asked only for a pod with a network that is made of devices. */
async function findDevices(
  wanted: {
    request: Requester
    pod: PodResource
    base: readonly BaseNetwork[]
    definitions: readonly (NetworkAttachmentDefinition | undefined)[]
  },
  context: CniContext,
  signal: AbortSignal,
): Promise<PodDevices> {
  const { request, pod, base, definitions } = wanted
  const names = [
    ...base.map(({ resourceName }) => resourceName),
    ...definitions.map((each) => (each === undefined ? undefined : resourceNameOf(each))),
  ]
  if (names.every((name) => name === undefined)) return new Map()
  const { name, namespace = 'default', uid = '' } = pod.metadata
  // The kubelet knows a static pod by its own UID, not by that of its mirror.
  return await context.devices.findOf({ name, namespace, uid: request.args.K8S_POD_UID ?? uid }, signal)
}

/** Whether a request is for a whole pod, or for one network because another meta-plugin (or the runtime itself) calls it. */
export function isForWholePod(request: CniRequest): boolean {
  return isMetaConfig(request.config)
}

/** The one network that was called by its own name, e.g. `calico`. Throws CniError. */
export function selectAlone(request: CniRequest, context: CniContext): SelectedAttachment {
  const { config, ifName, pluginName } = request
  const driver = context.networks.findDriver(config.type)
  if (!driver.types.includes(config.type) || config.type !== pluginName) {
    throw new CniError(
      cniErrorCode.unsupportedField,
      `"${pluginName}" was called for a network of type "${config.type}"`,
      { fix: 'Name the network itself in type.' },
    )
  }
  const { ips, mac } = config.runtimeConfig ?? {}
  return {
    ifName,
    networkName: config.name,
    driver,
    configList: { cniVersion: config.cniVersion, name: config.name, plugins: [config] },
    isDefault: ifName === 'eth0',
    requested: {
      ...(Array.isArray(ips) ? { ips: ips.map(String) } : {}),
      ...(typeof mac === 'string' ? { mac } : {}),
    },
    args: {},
  }
}

function isInstalled(type: string, folders: readonly string[]): boolean {
  return folders.some((folder) => statSync(join(folder, type), { throwIfNoEntry: false })?.isFile() === true)
}
