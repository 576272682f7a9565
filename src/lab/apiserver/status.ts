import { TwinlaneError } from '../../base/errors.ts'

/** One detail of a refusal, as in `Status.details.causes`. */
export interface Cause {
  /** FieldValueRequired, FieldValueInvalid, FieldValueForbidden, FieldManagerConflict … */
  reason: string
  message: string
  field: string
}

export interface StatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: Cause[]
  retryAfterSeconds?: number
}

/** The kind a refusal is about; `group` '' is the core group. */
export interface About {
  readonly group: string
  readonly plural: string
  readonly kind: string
}

/** A refusal as the Kubernetes API words it: HTTP code, reason, message and details. */
export class StatusError extends TwinlaneError {
  readonly code: number
  readonly reason: string
  readonly details: StatusDetails | undefined

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = details
  }

  /** The body of the answer. */
  toStatus(): object {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    }
  }
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message)
}

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized: present a client certificate signed by the cluster CA')
}

export function forbidden(about: About, name: string, why: string): StatusError {
  return new StatusError(
    403,
    'Forbidden',
    `${resourceName(about)} "${name}" is forbidden: ${why}`,
    details(about, name),
  )
}

export function notFound(about: About, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${resourceName(about)} "${name}" not found`, details(about, name))
}

export function noSuchPath(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
}

export function alreadyExists(about: About, name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${resourceName(about)} "${name}" already exists`, details(about, name))
}

export function conflict(about: About, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${resourceName(about)} "${name}": ${why}`
  return new StatusError(409, 'Conflict', message, details(about, name))
}

export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message)
}

export function unsupportedMediaType(message: string): StatusError {
  return new StatusError(415, 'UnsupportedMediaType', message)
}

/** 422 with every fault of the object. */
export function invalid(about: About, name: string, causes: readonly Cause[]): StatusError {
  const lines = causes.map((cause) => `${cause.field}: ${cause.message}`)
  const list = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`
  const kindName = about.group === '' ? about.kind : `${about.kind}.${about.group}`
  return new StatusError(422, 'Invalid', `${kindName} "${name}" is invalid: ${list}`, {
    name,
    ...(about.group === '' ? {} : { group: about.group }),
    kind: about.kind,
    causes: [...causes],
  })
}

export function required(field: string, detail = ''): Cause {
  const tail = detail === '' ? '' : `: ${detail}`
  return { reason: 'FieldValueRequired', message: `Required value${tail}`, field }
}

export function invalidValue(field: string, value: unknown, detail: string): Cause {
  const shown = typeof value === 'string' || typeof value === 'object' ? JSON.stringify(value) : String(value)
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${shown}: ${detail}`, field }
}

export function notSupported(field: string, value: unknown, allowed: readonly string[]): Cause {
  const list = allowed.map((item) => JSON.stringify(item)).join(', ')
  return {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
    field,
  }
}

export function forbiddenField(field: string, detail: string): Cause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${detail}`, field }
}

export function duplicateValue(field: string, value: unknown): Cause {
  return { reason: 'FieldValueDuplicate', message: `Duplicate value: ${JSON.stringify(value)}`, field }
}

/** `pods`, `leases.coordination.k8s.io`: how messages name a resource. */
export function resourceName(about: About): string {
  return about.group === '' ? about.plural : `${about.plural}.${about.group}`
}

function details(about: About, name: string): StatusDetails {
  return { name, ...(about.group === '' ? {} : { group: about.group }), kind: about.plural }
}
