import { TwinlaneError } from '../base/errors.ts'

/** The kernel refused something. `code` is the errno name, e.g. EEXIST, so `errorCode(error)` works on it too. */
export class KernelError extends TwinlaneError {
  readonly code: string

  constructor(what: string, code: string, text = '', options: { fix?: string; cause?: unknown } = {}) {
    super(`${what}: ${code}${text === '' ? '' : ` (${text})`}`, options)
    this.code = code
  }
}
