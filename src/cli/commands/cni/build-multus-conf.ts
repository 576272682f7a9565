import { compareVersions, isSupportedVersion } from '../../../cni/versions.ts'

/** The configuration of the node's own default network, as its file holds it. */
export interface PrimaryConf {
  readonly name: string
  readonly cniVersion: string
  /** What stands in the file: a configuration, or a list with `plugins`. */
  readonly content: Readonly<Record<string, unknown>>
}

/** What the flags of Multus' generator say; names as there. */
export interface MultusConfOptions {
  readonly cniVersion?: string | undefined
  readonly forceCniVersion: boolean
  readonly overrideNetworkName: boolean
  readonly namespaceIsolation: boolean
  readonly globalNamespaces?: string | undefined
  readonly confDir?: string | undefined
  readonly binDir?: string | undefined
  readonly kubeconfig?: string | undefined
  readonly readinessIndicatorFile?: string | undefined
  readonly logToStderr: boolean
  readonly logLevel?: string | undefined
  readonly logFile?: string | undefined
}

export interface MultusConf {
  readonly fileName: '00-multus.conf' | '00-multus.conflist'
  readonly content: Readonly<Record<string, unknown>>
}

/**
 * The meta-plugin's configuration around a default network. It is a list when the default network speaks CNI 1.0 or
 * later, as some runtimes take 1.0 from lists only. Throws RangeError for a version that does not exist.
 */
export function buildMultusConf(primary: PrimaryConf, options: MultusConfOptions): MultusConf {
  const cniVersion = options.cniVersion ?? primary.cniVersion
  if (!isSupportedVersion(cniVersion)) throw new RangeError(`there is no CNI version ${cniVersion}`)
  const name = options.overrideNetworkName ? primary.name : 'multus-cni-network'
  const plugin = buildPlugin(primary, { ...options, cniVersion })
  if (compareVersions(primary.cniVersion, '1.0.0') < 0) {
    return { fileName: '00-multus.conf', content: { cniVersion, name, ...plugin } }
  }
  return { fileName: '00-multus.conflist', content: { cniVersion, name, plugins: [plugin] } }
}

function buildPlugin(primary: PrimaryConf, options: MultusConfOptions): Record<string, unknown> {
  const capabilities = mergeCapabilities(primary.content)
  const { forceCniVersion, cniVersion } = options
  return withoutUndefined({
    type: 'twinlane',
    capabilities: Object.keys(capabilities).length === 0 ? undefined : capabilities,
    namespaceIsolation: options.namespaceIsolation || undefined,
    globalNamespaces: options.globalNamespaces,
    confDir: options.confDir,
    binDir: options.binDir,
    kubeconfig: options.kubeconfig,
    readinessindicatorfile: options.readinessIndicatorFile,
    logToStderr: options.logToStderr,
    logLevel: options.logLevel,
    logFile: options.logFile,
    delegates: [forceCniVersion ? { ...primary.content, cniVersion } : primary.content],
  })
}

/** What any plugin of the default network can take from the runtime, the runtime must be told of. */
function mergeCapabilities(content: PrimaryConf['content']): Record<string, true> {
  const plugins: readonly unknown[] = Array.isArray(content.plugins) ? content.plugins : [content]
  const declared = plugins.flatMap((plugin) =>
    Object.entries((plugin as { capabilities?: Record<string, unknown> }).capabilities ?? {}),
  )
  return Object.fromEntries(declared.filter(([, value]) => value === true).map(([key]) => [key, true]))
}

function withoutUndefined(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
