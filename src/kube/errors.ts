import { TwinlaneError } from '../base/errors.ts'

/** A Status object as the API server sends it with every failure. */
export interface KubeStatus {
  kind?: string
  status?: string
  message?: string
  reason?: string
  code?: number
  details?: KubeStatusDetails
}

export interface KubeStatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: { reason?: string; message?: string; field?: string }[]
  retryAfterSeconds?: number
}

/** A request to the Kubernetes API failed. `statusCode` 0 means that no answer came (reason `Unreachable` or `Timeout`). */
export class KubeError extends TwinlaneError {
  readonly statusCode: number
  /** The server's own word, e.g. `NotFound`, `Conflict`, `AlreadyExists`, `Expired`. */
  readonly reason: string
  readonly details: KubeStatusDetails | undefined
  /** The server's own sentence, without what was asked; undefined when no Status came. */
  readonly said: string | undefined

  constructor(
    message: string,
    facts: {
      statusCode: number
      reason?: string
      details?: KubeStatusDetails | undefined
      said?: string | undefined
      fix?: string
      cause?: unknown
    },
  ) {
    super(message, {
      ...(facts.fix === undefined ? {} : { fix: facts.fix }),
      ...(facts.cause === undefined ? {} : { cause: facts.cause }),
    })
    this.statusCode = facts.statusCode
    this.reason = facts.reason ?? reasonOf(facts.statusCode)
    this.details = facts.details
    this.said = facts.said
  }

  /** How long the server asks to be left alone (Retry-After); undefined when it does not say. */
  get retryAfterMs(): number | undefined {
    const seconds = this.details?.retryAfterSeconds
    return seconds === undefined ? undefined : seconds * 1000
  }

  override get isTransient(): boolean {
    return this.statusCode === 0 || this.statusCode === 429 || this.statusCode >= 500
  }
}

/** The error for a failed answer; `request` is what was asked, e.g. `GET /api/v1/pods`. */
export function statusError(request: string, statusCode: number, status: KubeStatus | undefined): KubeError {
  const said = status?.message ?? `HTTP ${statusCode}`
  return new KubeError(`${request}: ${said}`, {
    statusCode: status?.code ?? statusCode,
    ...(status?.reason === undefined || status.reason === '' ? {} : { reason: status.reason }),
    details: status?.details,
    said: status?.message,
  })
}

export function isNotFound(error: unknown): boolean {
  return hasStatus(error, 404)
}

/** Compare-and-swap lost: the object has changed since it was read. Not the same as AlreadyExists, though both are 409. */
export function isConflict(error: unknown): boolean {
  return hasStatus(error, 409) && (error as KubeError).reason !== 'AlreadyExists'
}

export function isAlreadyExists(error: unknown): boolean {
  return hasStatus(error, 409) && (error as KubeError).reason === 'AlreadyExists'
}

/** The resourceVersion is too old: list again. */
export function isGone(error: unknown): boolean {
  return error instanceof KubeError && (error.statusCode === 410 || error.reason === 'Expired')
}

/** The object was refused as it stands (422, or 400 for one that cannot be read). */
export function isInvalid(error: unknown): boolean {
  return hasStatus(error, 422) || hasStatus(error, 400)
}

/** Whoever may decide, authorization or a webhook, has said no (403). */
export function isForbidden(error: unknown): boolean {
  return hasStatus(error, 403)
}

/** The credentials are not, or no longer, those of anybody. */
export function isUnauthorized(error: unknown): boolean {
  return hasStatus(error, 401)
}

/** No answer came: the server is away, or the way to it. */
export function isUnreachable(error: unknown): boolean {
  return hasStatus(error, 0)
}

/** Too many requests (429): the server has not begun with this one, so even a write may be sent again. */
export function isTooManyRequests(error: unknown): boolean {
  return hasStatus(error, 429)
}

/** How long the server asks to be left alone, when it says so. */
export function retryAfterMs(error: unknown): number | undefined {
  return error instanceof KubeError ? error.retryAfterMs : undefined
}

/** Whether the same read may succeed when it is tried again. */
export function isTransient(error: unknown): boolean {
  return error instanceof KubeError && error.isTransient
}

function hasStatus(error: unknown, statusCode: number): boolean {
  return error instanceof KubeError && error.statusCode === statusCode
}

const reasons: Readonly<Record<number, string>> = {
  0: 'Unreachable',
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

function reasonOf(statusCode: number): string {
  return reasons[statusCode] ?? 'Unknown'
}

/** Turns "there is no such object" into undefined. */
export async function undefinedIfNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
