/** Base of every error that this project throws on purpose. `fix` is one sentence that tells the user what to do. */
export class TwinlaneError extends Error {
  readonly fix: string | undefined

  constructor(message: string, options: { fix?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.fix = options.fix
  }

  /** Whether the same thing may succeed later, with nothing changed by anybody. */
  get isTransient(): boolean {
    return false
  }
}

/** A configuration value is wrong. `field` is the path of the value as the user wrote it, e.g. `nodes[1].interfaces.ens3`. */
export class ConfigError extends TwinlaneError {
  readonly field: string

  constructor(field: string, problem: string, options: { fix?: string; cause?: unknown } = {}) {
    super(`${field}: ${problem}`, options)
    this.field = field
  }
}

/** A wait ended by its deadline. The message names what was waited for and for how long. */
export class TimeoutError extends TwinlaneError {
  readonly waitedFor: string
  readonly timeoutMs: number

  constructor(waitedFor: string, timeoutMs: number, options: { fix?: string; cause?: unknown; detail?: string } = {}) {
    const detail = options.detail === undefined ? '' : `: ${options.detail}`
    super(`timed out after ${timeoutMs} ms waiting for ${waitedFor}${detail}`, options)
    this.waitedFor = waitedFor
    this.timeoutMs = timeoutMs
  }

  override get isTransient(): boolean {
    return true
  }
}

/** Something that must exist does not. */
export class NotFoundError extends TwinlaneError {}

/** Several things failed in an operation that goes on after the first failure, such as a teardown. */
export class CombinedError extends TwinlaneError {
  readonly errors: readonly unknown[]

  constructor(what: string, errors: readonly unknown[]) {
    super(`${what}: ${errors.map(describeError).join('; ')}`, { cause: errors[0] })
    this.errors = errors
  }
}

/** One line for a person: the message, then the chain of causes, each said once. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const parts = [error.message || error.name]
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (!parts.some((part) => part.includes((cause as Error).message))) parts.push(cause.message)
  }
  return parts.join(': ')
}

/** The `code` of a Node.js system error such as ENOENT, or undefined. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** Rethrows `error` unless it is a system error with one of these codes. */
export function ignoreCodes(error: unknown, ...codes: string[]): void {
  if (!codes.includes(errorCode(error) ?? '')) throw error
}
