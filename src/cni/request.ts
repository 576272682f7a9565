/** The verbs of CNI 1.1. */
export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION'

/** One execution of a plugin: environment and standard input, parsed and checked (CNI spec section 2). */
export interface CniRequest {
  readonly command: CniCommand
  readonly containerId: string
  /** Path of the pod's network namespace; may be absent on DEL. */
  readonly netns: string | undefined
  readonly ifName: string
  /** CNI_ARGS split at `;` and `=`, e.g. K8S_POD_NAME. */
  readonly args: Readonly<Record<string, string>>
  /** CNI_PATH split at `:`. */
  readonly path: readonly string[]
  /** Name the shim was executed under (argv[0]'s base name): which role it was called for. */
  readonly pluginName: string
  /** CNI_NETNS_OVERRIDE: the plugin may work in the namespace that it runs in itself. */
  readonly mayUseOwnNetns?: boolean
  readonly config: NetworkConfig
}

/** A plugin's configuration as it arrives on standard input. Unknown keys are kept. */
export interface NetworkConfig {
  readonly cniVersion: string
  readonly name: string
  readonly type: string
  readonly capabilities?: Readonly<Record<string, boolean>>
  readonly runtimeConfig?: Readonly<Record<string, unknown>>
  readonly prevResult?: unknown
  readonly args?: { readonly cni?: Readonly<Record<string, unknown>> }
  readonly [key: string]: unknown
}

/** A list of plugins that run one after the other for one attachment. A single config is a list of one. */
export interface NetworkConfigList {
  readonly cniVersion: string
  readonly name: string
  readonly disableCheck?: boolean
  readonly disableGC?: boolean
  readonly plugins: readonly NetworkConfig[]
}
