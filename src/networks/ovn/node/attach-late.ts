import { CniError, cniErrorCode } from '../../../cni/errors.ts'

/** Which part of the system an attachment that is late waits for; the label `reason` of the metric. */
export type LateReason =
  | 'no-annotation'
  | 'no-switch'
  | 'port-missing'
  | 'port-unbound'
  | 'port-elsewhere'
  | 'flows-missing'
  | 'chassis-stale'
  | 'database-unreachable'

/** An attachment was given up because something else was late. The runtime may try again. */
export class AttachLateError extends CniError {
  readonly reason: LateReason

  constructor(reason: LateReason, message: string, options: { cause?: unknown; fix?: string } = {}) {
    super(cniErrorCode.tryAgainLater, message, { ...options, details: reason })
    this.reason = reason
  }
}
