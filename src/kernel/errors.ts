import { TwinlaneError } from '../base/errors.ts'

/** The kernel refused something. `code` is the errno name, e.g. EEXIST, so `errorCode(error)` works on it too. */
export class KernelError extends TwinlaneError {
  /** What was tried: the operation, the device, the namespace. */
  readonly what: string
  readonly code: string
  /** The kernel's own words (extended ack), nft's message, or ''. */
  readonly text: string

  constructor(what: string, code: string, text = '', options: { fix?: string; cause?: unknown } = {}) {
    super(`${what}: ${code}${text === '' ? '' : ` (${text})`}`, options)
    this.what = what
    this.code = code
    this.text = text
  }
}
