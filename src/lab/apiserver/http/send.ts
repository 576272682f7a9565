import type { ServerResponse } from 'node:http'
import { describeError } from '../../../base/errors.ts'
import { StatusError } from '../status.ts'

/** Sends a complete JSON answer. A response that has already begun is ended. */
export function sendJson(
  response: ServerResponse,
  code: number,
  json: string,
  options: { contentType?: string; warnings?: readonly string[] } = {},
): void {
  if (response.headersSent || response.destroyed) {
    response.end()
    return
  }
  const body = Buffer.from(json)
  response.statusCode = code
  response.setHeader('content-type', options.contentType ?? 'application/json')
  response.setHeader('cache-control', 'no-cache, private')
  response.setHeader('content-length', body.length)
  const warnings = (options.warnings ?? []).slice(0, 10).map(warningHeader)
  if (warnings.length > 0) response.setHeader('warning', warnings)
  response.end(body)
}

/** Sends any error as a Status; what is not a StatusError is an internal error. */
export function sendError(response: ServerResponse, error: unknown): void {
  const status = statusOf(error)
  if (status.code === 413 && !response.headersSent) response.setHeader('connection', 'close')
  sendJson(response, status.code, JSON.stringify(status.toStatus()))
}

export function statusOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error
  return new StatusError(500, 'InternalError', `Internal error occurred: ${describeError(error)}`)
}

/** Header values are latin1 without control characters. */
function warningHeader(text: string): string {
  const safe = text.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, String.raw`\$&`)
  return `299 - "${safe}"`
}
