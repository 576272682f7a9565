import type { JsonObject } from '../json.ts'
import { badRequest, unsupportedMediaType } from '../status.ts'
import { type Message, messages } from './messages.ts'
import { fieldsOf, type WireField } from './wire.ts'

const magic = Buffer.from('k8s\0')

/**
 * Decodes an object in Kubernetes' protobuf envelope: `k8s\0`, then runtime.Unknown with type (1) and raw object (2).
 * Throws 415 for kinds whose messages are not known here.
 */
export function decodeProtobuf(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, 4).equals(magic)) throw badRequest('the protobuf body does not start with the magic number')
  const envelope = new Map(fieldsOf(bytes.subarray(4)).map((field) => [field.number, field.bytes]))
  const type = new Map(fieldsOf(envelope.get(1) ?? empty).map((field) => [field.number, field.bytes.toString('utf8')]))
  const [apiVersion = '', kind = ''] = [type.get(1), type.get(2)]
  const message = messages[kind]
  if (message === undefined) {
    throw unsupportedMediaType(
      `this server cannot read a ${kind} in protobuf: send JSON, for example through "kubectl apply -f FILE"`,
    )
  }
  return { apiVersion, kind, ...decodeMessage(envelope.get(2) ?? empty, message) }
}

const empty = Buffer.alloc(0)

function decodeMessage(bytes: Buffer, message: Message): JsonObject {
  const result: JsonObject = {}
  for (const field of fieldsOf(bytes)) {
    const known = message[field.number]
    if (known === undefined) continue
    const [name, type] = known
    if (type === 'map' || type === 'bytesMap') addEntry(result, name, field.bytes, type)
    else if (Array.isArray(type)) result[name] = [...((result[name] as unknown[]) ?? []), decodeValue(field, type[0])]
    else setUnlessEmpty(result, name, decodeValue(field, type))
  }
  return result
}

type SingleType = Exclude<Message[number], undefined>[1]

function decodeValue(field: WireField, type: SingleType | Message): unknown {
  if (type === 'string') return field.bytes.toString('utf8')
  if (type === 'bytes') return field.bytes.toString('base64')
  if (type === 'int') return Number(BigInt.asIntN(64, field.varint))
  if (type === 'bool') return field.varint !== 0n
  if (type === 'intOrString') return decodeIntOrString(field.bytes)
  return decodeMessage(field.bytes, type as Message)
}

/** proto2 messages carry fields that Go's JSON would leave out: empty text and empty structs. */
function setUnlessEmpty(result: JsonObject, name: string, value: unknown): void {
  const isEmpty = value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  if (!isEmpty) result[name] = value
}

function addEntry(result: JsonObject, name: string, bytes: Buffer, type: 'map' | 'bytesMap'): void {
  const entry = new Map(fieldsOf(bytes).map((field) => [field.number, field.bytes]))
  const map = (result[name] as JsonObject | undefined) ?? {}
  map[(entry.get(1) ?? empty).toString('utf8')] = (entry.get(2) ?? empty).toString(type === 'map' ? 'utf8' : 'base64')
  result[name] = map
}

function decodeIntOrString(bytes: Buffer): number | string {
  const fields = new Map(fieldsOf(bytes).map((field) => [field.number, field]))
  const isText = (fields.get(1)?.varint ?? 0n) === 1n
  return isText ? (fields.get(3)?.bytes.toString('utf8') ?? '') : Number(fields.get(2)?.varint ?? 0n)
}
