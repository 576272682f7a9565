import { ConfigError, describeError, TwinlaneError } from '../base/errors.ts'
import { CniError, cniErrorCode } from './errors.ts'

/** The error object that a plugin prints (CNI spec section 5, "Error"). */
export interface CniErrorObject {
  readonly cniVersion: string
  readonly code: number
  readonly msg: string
  readonly details?: string
}

/** Any failure in the form that a runtime reads; done once, where the answer leaves the process. */
export function formatError(error: unknown, cniVersion: string): CniErrorObject {
  const fix = error instanceof TwinlaneError ? error.fix : undefined
  const details = error instanceof CniError ? error.details : undefined
  const text = describeError(error).replace(/\s+/g, ' ').trim()
  return {
    cniVersion,
    code: codeOf(error),
    msg: fix === undefined || text.includes(fix) ? text : `${text.replace(/\.$/, '')}. ${fix}`,
    ...(details === undefined || details === '' ? {} : { details }),
  }
}

/** The CNI code of a failure: its own, or that of the first cause that has one, or what its kind means to a runtime. */
export function codeOf(error: unknown): number {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof CniError) return cause.code
    if (cause instanceof ConfigError) return cniErrorCode.invalidNetworkConfig
    if (isTransient(cause)) return cniErrorCode.tryAgainLater
  }
  return cniErrorCode.internal
}

/** Node.js' own deadline and abort are known by name only. */
function isTransient(error: Error): boolean {
  return error instanceof TwinlaneError ? error.isTransient : ['AbortError', 'TimeoutError'].includes(error.name)
}
