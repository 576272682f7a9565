import { TwinlaneError } from '../base/errors.ts'

/** Error codes of the CNI specification 1.1, section "Error"; 100 and up are a plugin's own, 999 is untyped. */
export const cniErrorCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodingFailure: 6,
  invalidNetworkConfig: 7,
  tryAgainLater: 11,
  pluginNotAvailable: 50,
  pluginNotAvailableLimited: 51,
  internal: 999,
} as const

/** A failure as the runtime sees it. */
export class CniError extends TwinlaneError {
  readonly code: number
  readonly details: string | undefined

  constructor(code: number, message: string, options: { details?: string; fix?: string; cause?: unknown } = {}) {
    super(message, options)
    this.code = code
    this.details = options.details
  }
}
