import { TwinlaneError } from '../base/errors.ts'

/** BIRD could not be asked, or refused. `code` is the reply code (8000 and up), or undefined when no reply came. */
export class BirdError extends TwinlaneError {
  readonly code: number | undefined

  constructor(message: string, options: { code?: number; fix?: string; cause?: unknown } = {}) {
    super(message, options)
    this.code = options.code
  }
}
