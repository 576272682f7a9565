import { readConfigList } from '../cni/config.ts'
import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { NetworkConfig, NetworkConfigList } from '../cni/request.ts'

/** The meta-plugin's own configuration, with the keys that users know from Multus. */
export interface MetaConfig {
  readonly cniVersion: string
  readonly name: string
  /** Attached to every pod; the first is the default network. */
  readonly delegates: readonly NetworkConfigList[]
  /** A pod may use NetworkAttachmentDefinitions of its own namespace and of `globalNamespaces` only. */
  readonly namespaceIsolation: boolean
  readonly globalNamespaces: readonly string[]
  /** Where the annotation `v1.multus-cni.io/default-network` looks for a name without a namespace. */
  readonly multusNamespace: string
}

/** Whether a configuration is a meta-plugin's, not that of one network. */
export function isMetaConfig(config: NetworkConfig): boolean {
  return Array.isArray(config.delegates) || typeof config.clusterNetwork === 'string'
}

/** Throws CniError naming the field. */
export function parseMetaConfig(config: NetworkConfig): MetaConfig {
  if (!Array.isArray(config.delegates) || config.delegates.length === 0) {
    throw new CniError(cniErrorCode.invalidNetworkConfig, `network "${config.name}": delegates is missing or empty`, {
      fix: 'List the default network in delegates (clusterNetwork and defaultNetworks are not supported).',
    })
  }
  return {
    cniVersion: config.cniVersion,
    name: config.name,
    delegates: config.delegates.map((raw, index) => readDelegate(raw, index)),
    namespaceIsolation: config.namespaceIsolation === true,
    globalNamespaces: readList(config.globalNamespaces, 'default'),
    multusNamespace: typeof config.multusNamespace === 'string' ? config.multusNamespace : 'kube-system',
  }
}

function readDelegate(raw: unknown, index: number): NetworkConfigList {
  try {
    return readConfigList(raw)
  } catch (cause) {
    const code = cause instanceof CniError ? cause.code : cniErrorCode.invalidNetworkConfig
    throw new CniError(code, `delegates[${index}] is not a network configuration`, { cause })
  }
}

function readList(value: unknown, otherwise: string): string[] {
  const text = typeof value === 'string' ? value : otherwise
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
