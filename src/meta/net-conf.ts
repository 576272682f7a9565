import { readConfigList } from '../cni/config.ts'
import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { NetworkConfig, NetworkConfigList } from '../cni/request.ts'

/**
 * The meta-plugin's own configuration, with the keys that users know from Multus. What else Multus knows (log*,
 * cniDir, kubeconfig, retryDeleteOnError) is accepted and means nothing here: the agent has its own.
 */
export interface MetaConfig {
  readonly cniVersion: string
  readonly name: string
  /** Attached to every pod, in this order. */
  readonly networks: BaseNetworks
  /** Pods of these namespaces get no `defaultNetworks`. */
  readonly systemNamespaces: readonly string[]
  /** A pod may use NetworkAttachmentDefinitions of its own namespace and of `globalNamespaces` only. */
  readonly namespaceIsolation: boolean
  readonly globalNamespaces: readonly string[]
  /** Where the default network's definition is looked for when only a name is given. */
  readonly multusNamespace: string
  /** Folder with network configurations for definitions that have none. */
  readonly confDir: string
  /** No pod is attached before this file is there. */
  readonly readinessIndicatorFile: string | undefined
}

/** `delegates` are written out; `named` ones are to be looked up by findNamedNetworks. The first is the default network. */
export type BaseNetworks =
  | { readonly delegates: readonly NetworkConfigList[] }
  | { readonly clusterNetwork: string; readonly defaultNetworks: readonly string[] }

/** Values of `type` that mean the meta-plugin: our own, and Multus' thin and thick forms. */
export const metaPluginTypes: readonly string[] = ['twinlane', 'multus', 'multus-shim']

/** Whether a configuration is a meta-plugin's, not that of one network. */
export function isMetaConfig(config: NetworkConfig): boolean {
  return (
    Array.isArray(config.delegates) ||
    typeof config.clusterNetwork === 'string' ||
    metaPluginTypes.includes(config.type)
  )
}

/** Throws CniError naming the field. */
export function parseMetaConfig(config: NetworkConfig): MetaConfig {
  return {
    cniVersion: config.cniVersion,
    name: config.name,
    networks: readNetworks(config),
    systemNamespaces: readTexts(config, 'systemNamespaces') ?? ['kube-system'],
    namespaceIsolation: config.namespaceIsolation === true,
    globalNamespaces: splitList(readText(config, 'globalNamespaces') ?? 'default'),
    multusNamespace: readText(config, 'multusNamespace') ?? 'kube-system',
    confDir: readText(config, 'confDir') ?? '/etc/cni/multus/net.d',
    readinessIndicatorFile: readText(config, 'readinessindicatorfile'),
  }
}

/** Multus' `binDir`: plugins are looked for there before the node's own folders. Throws CniError. */
export function binFolderOf(config: NetworkConfig): string | undefined {
  return readText(config, 'binDir')
}

/** `clusterNetwork` wins over `delegates`, as in Multus. */
function readNetworks(config: NetworkConfig): BaseNetworks {
  const clusterNetwork = readText(config, 'clusterNetwork')
  if (clusterNetwork !== undefined) {
    return { clusterNetwork, defaultNetworks: readTexts(config, 'defaultNetworks') ?? [] }
  }
  const { delegates } = config
  if (Array.isArray(delegates) && delegates.length > 0) return { delegates: delegates.map(readDelegate) }
  throw invalid(`network "${config.name}" has neither delegates nor clusterNetwork`, {
    fix: 'Write the default network into delegates, or name it in clusterNetwork.',
  })
}

function readDelegate(raw: unknown, index: number): NetworkConfigList {
  try {
    return readConfigList(raw)
  } catch (cause) {
    const code = cause instanceof CniError ? cause.code : cniErrorCode.invalidNetworkConfig
    throw new CniError(code, `delegates[${index}] is not a network configuration`, { cause })
  }
}

function readText(config: NetworkConfig, key: string): string | undefined {
  const value = config[key]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string') return value
  throw invalid(`${key} of network "${config.name}" is ${JSON.stringify(value)}`, { fix: 'It must be a text.' })
}

function readTexts(config: NetworkConfig, key: string): string[] | undefined {
  const value = config[key]
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw invalid(`${key} of network "${config.name}" is ${JSON.stringify(value)}`, {
    fix: 'It must be a list of texts.',
  })
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function invalid(problem: string, options: { fix: string }): CniError {
  return new CniError(cniErrorCode.invalidNetworkConfig, problem, options)
}
