import { describeError, TwinlaneError } from '../../../base/errors.ts'
import { selectRuntimeConfig } from '../../../cni/config.ts'
import { CniError } from '../../../cni/errors.ts'
import { addChain, type ChainRequest, deleteChain } from '../../../cni/exec.ts'
import type { NetworkConfigList } from '../../../cni/request.ts'
import type { CniResult } from '../../../cni/result.ts'

/** One sandbox's attachment to the node's network, with all that DEL will need later. */
export interface NetworkAttachment {
  /** The chain as it was when ADD ran, `runtimeConfig` filled in. */
  readonly config: NetworkConfigList
  readonly containerId: string
  readonly netns: string
  readonly args: Readonly<Record<string, string>>
  readonly result?: CniResult
}

/** A CNI plugin refused or could not be run. The message has the wording of libcni, which users know from events. */
export class NetworkPluginError extends TwinlaneError {}

export interface PluginLimits {
  binFolder: string
  timeoutMs: number
  signal?: AbortSignal | undefined
}

/** Fills in the runtime's values, e.g. portMappings, for those plugins of the chain that declare the capability. */
export function withRuntimeConfig(
  config: NetworkConfigList,
  available: Readonly<Record<string, unknown>>,
): NetworkConfigList {
  const plugins = config.plugins.map((plugin) => {
    const runtimeConfig = selectRuntimeConfig(plugin, available)
    return Object.keys(runtimeConfig).length === 0 ? plugin : { ...plugin, runtimeConfig }
  })
  return { ...config, plugins }
}

/** Runs ADD through the chain. Throws NetworkPluginError. */
export async function addNetwork(attachment: NetworkAttachment, limits: PluginLimits): Promise<CniResult> {
  try {
    return await addChain(requestFor(attachment, limits))
  } catch (error) {
    throw pluginError(attachment, 'add', error)
  }
}

/** Runs DEL through the chain backwards. Nothing there is success, as plugins promise. Throws NetworkPluginError. */
export async function deleteNetwork(attachment: NetworkAttachment, limits: PluginLimits): Promise<void> {
  try {
    await deleteChain(requestFor(attachment, limits))
  } catch (error) {
    throw pluginError(attachment, 'delete', error)
  }
}

function requestFor(attachment: NetworkAttachment, limits: PluginLimits): ChainRequest {
  const deadline = AbortSignal.timeout(limits.timeoutMs)
  return {
    list: attachment.config,
    containerId: attachment.containerId,
    netns: attachment.netns,
    ifName: 'eth0',
    args: attachment.args,
    folders: [limits.binFolder],
    prevResult: attachment.result,
    signal: limits.signal === undefined ? deadline : AbortSignal.any([deadline, limits.signal]),
  }
}

function pluginError(attachment: NetworkAttachment, verb: string, error: unknown): NetworkPluginError {
  const details = error instanceof CniError && error.details !== undefined ? `; ${error.details}` : ''
  const [, named, text] = /^plugin "([^"]*)" failed [A-Z]+: (.*)$/s.exec(describeError(error)) ?? []
  const type = named ?? attachment.config.plugins[0]?.type ?? ''
  const said = text ?? describeError(error)
  const message = `plugin type="${type}" name="${attachment.config.name}" failed (${verb}): ${said}${details}`
  return new NetworkPluginError(message, { cause: error })
}
