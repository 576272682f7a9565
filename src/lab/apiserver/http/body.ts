import type { IncomingMessage } from 'node:http'
import { parse as parseYaml } from 'yaml'
import { isObject, type JsonObject } from '../json.ts'
import { decodeProtobuf } from '../protobuf/decode.ts'
import { badRequest, StatusError, unsupportedMediaType } from '../status.ts'

const maxBodyBytes = 8 * 1024 * 1024

/** A decoded body, with its text where it was JSON: duplicate keys are visible only there. */
export interface Body {
  readonly value: unknown
  readonly json: string | undefined
}

/** Reads the whole body. Rejects with 413 beyond 8 MiB; what still comes is then thrown away. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBodyBytes) chunks.push(chunk)
      else reject(tooLarge())
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('close', () => reject(badRequest('the request ended before its body was complete')))
    request.on('error', reject)
  })
}

function tooLarge(): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes} bytes`)
}

/** Decodes JSON, YAML or Kubernetes' protobuf by content type. An absent content type counts as JSON. */
export function decodeBody(bytes: Buffer, contentType: string): Body {
  const type = contentType.split(';')[0]?.trim() ?? ''
  if (type === 'application/vnd.kubernetes.protobuf') return { value: decodeProtobuf(bytes), json: undefined }
  if (/^application\/(apply-patch\+)?yaml$/.test(type)) return decodeYaml(bytes.toString('utf8'))
  if (type === '' || type === 'application/json' || type.endsWith('+json')) return decodeJson(bytes.toString('utf8'))
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
  )
}

/** The body as an object; throws 400 for anything else. */
export function objectBody(body: Body): JsonObject {
  if (!isObject(body.value)) throw badRequest('the object provided is unrecognized: a JSON object is expected')
  return body.value
}

function decodeJson(text: string): Body {
  try {
    return { value: text.trim() === '' ? undefined : JSON.parse(text), json: text }
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`)
  }
}

/** Clients send JSON as YAML, which is much faster to read as what it is. */
function decodeYaml(text: string): Body {
  if (text.trimStart().startsWith('{')) {
    try {
      return decodeJson(text)
    } catch {
      // A YAML flow mapping may start the same way.
    }
  }
  try {
    return { value: parseYaml(text), json: undefined }
  } catch (error) {
    throw badRequest(`error decoding YAML: ${(error as Error).message}`)
  }
}
