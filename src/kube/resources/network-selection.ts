import { TwinlaneError } from '../../base/errors.ts'

/** One element of a pod's networks annotation (NPWG standard v1.3, section 4.1.2), after defaults. */
export interface NetworkSelection {
  readonly name: string
  readonly namespace: string
  /** Interface name asked for; undefined = the meta-plugin chooses net1, net2 … */
  readonly interface?: string | undefined
  readonly ips?: readonly string[] | undefined
  readonly mac?: string | undefined
  readonly infinibandGuid?: string | undefined
  readonly portMappings?: readonly unknown[] | undefined
  readonly bandwidth?: Readonly<Record<string, number>> | undefined
  readonly deviceId?: string | undefined
  readonly cniArgs?: Readonly<Record<string, unknown>> | undefined
  /** Absent and empty mean different things. */
  readonly defaultRoute?: readonly string[] | undefined
  readonly ipamClaimReference?: string | undefined
}

export interface ParsedNetworks {
  readonly selections: readonly NetworkSelection[]
  /** What was accepted here but other implementations reject or ignore: one sentence each, naming the line. */
  readonly warnings: readonly string[]
}

/** The annotation cannot be used. The message names line, column and the reason. */
export class NetworkAnnotationError extends TwinlaneError {}
