import { badRequest } from '../status.ts'

/** One field of a protobuf message: `varint` for wire type 0, `bytes` for wire type 2. */
export interface WireField {
  readonly number: number
  readonly varint: bigint
  readonly bytes: Buffer
}

const none = Buffer.alloc(0)

/** The fields of a message in their order. Throws 400 on a message that ends early or uses groups. */
export function fieldsOf(message: Buffer): WireField[] {
  const fields: WireField[] = []
  let offset = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[offset++]
      if (byte === undefined || shift > 63n) throw badRequest('malformed protobuf body')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Buffer => {
    if (offset + length > message.length) throw badRequest('malformed protobuf body')
    offset += length
    return message.subarray(offset - length, offset)
  }
  while (offset < message.length) {
    const key = Number(varint())
    const number = key >> 3
    const wireType = key & 7
    if (wireType === 0) fields.push({ number, varint: varint(), bytes: none })
    else if (wireType === 2) fields.push({ number, varint: 0n, bytes: take(Number(varint())) })
    else if (wireType === 1) take(8)
    else if (wireType === 5) take(4)
    else throw badRequest('malformed protobuf body')
  }
  return fields
}
