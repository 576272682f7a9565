import { CniError, cniErrorCode } from '../../cni/errors.ts'

/** What a pod asked for cannot be given. `reason` is that of the Event. */
export class NetworkSelectionError extends CniError {
  readonly reason: string

  constructor(reason: string, message: string, options: { code?: number; fix?: string; cause?: unknown } = {}) {
    super(options.code ?? cniErrorCode.invalidNetworkConfig, message, options)
    this.reason = reason
  }
}
