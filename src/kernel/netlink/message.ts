import {
  NLA_F_NESTED,
  NLA_TYPE_MASK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_ERROR,
  NLMSG_HEADER_LENGTH,
  NLMSGERR_ATTR_MSG,
} from './constants.ts'

/** One netlink message: its header's fields and its body (family header and attributes). */
export interface Message {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly body: Buffer
}

/** An attribute's value: bytes, or attributes inside it. */
export type AttributeValue = Buffer | readonly Attribute[]
export interface Attribute {
  readonly type: number
  readonly value: AttributeValue
}

/** The kernel's answer to a request: 0 is success; `text` is the extended ack. */
export interface Ack {
  readonly errno: number
  readonly text: string
}

export function align4(length: number): number {
  return (length + 3) & ~3
}

export function u8(value: number): Buffer {
  return Buffer.from([value & 0xff])
}

/** In the byte order of the wire. */
export function u16be(value: number): Buffer {
  const buffer = Buffer.alloc(2)
  buffer.writeUInt16BE(value)
  return buffer
}

export function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32LE(value >>> 0)
  return buffer
}

/** A C string with its end. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf8')
}

export function readCString(buffer: Buffer): string {
  const end = buffer.indexOf(0)
  return buffer.toString('utf8', 0, end < 0 ? buffer.length : end)
}

/** Attributes whose value is undefined are left out, so that builders need no conditions. */
export function attributes(...list: readonly [type: number, value: AttributeValue | undefined][]): Attribute[] {
  return list.flatMap(([type, value]) => (value === undefined ? [] : [{ type, value }]))
}

export function encodeAttributes(list: readonly Attribute[]): Buffer {
  return Buffer.concat(list.map(encodeAttribute))
}

function encodeAttribute({ type, value }: Attribute): Buffer {
  const isNested = !Buffer.isBuffer(value)
  const payload = isNested ? encodeAttributes(value) : value
  const buffer = Buffer.alloc(align4(4 + payload.length))
  buffer.writeUInt16LE(4 + payload.length, 0)
  buffer.writeUInt16LE(isNested ? type | NLA_F_NESTED : type, 2)
  payload.copy(buffer, 4)
  return buffer
}

/** The attributes in a buffer by type; of a type that occurs twice the last one. A length that cannot be ends the walk. */
export function decodeAttributes(buffer: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let offset = 0; offset + 4 <= buffer.length; ) {
    const length = buffer.readUInt16LE(offset)
    if (length < 4 || offset + length > buffer.length) break
    found.set(buffer.readUInt16LE(offset + 2) & NLA_TYPE_MASK, buffer.subarray(offset + 4, offset + length))
    offset += align4(length)
  }
  return found
}

/** The first attribute of a type, without reading further. */
export function findAttribute(buffer: Buffer, type: number): Buffer | undefined {
  for (let offset = 0; offset + 4 <= buffer.length; ) {
    const length = buffer.readUInt16LE(offset)
    if (length < 4 || offset + length > buffer.length) return undefined
    if ((buffer.readUInt16LE(offset + 2) & NLA_TYPE_MASK) === type) return buffer.subarray(offset + 4, offset + length)
    offset += align4(length)
  }
  return undefined
}

export function encodeMessage(message: Message): Buffer {
  const buffer = Buffer.alloc(NLMSG_HEADER_LENGTH + message.body.length)
  buffer.writeUInt32LE(buffer.length, 0)
  buffer.writeUInt16LE(message.type, 4)
  buffer.writeUInt16LE(message.flags, 6)
  buffer.writeUInt32LE(message.sequence, 8)
  message.body.copy(buffer, NLMSG_HEADER_LENGTH)
  return buffer
}

/** All messages of one datagram. */
export function decodeMessages(datagram: Buffer): Message[] {
  const messages: Message[] = []
  for (let offset = 0; offset + NLMSG_HEADER_LENGTH <= datagram.length; ) {
    const length = datagram.readUInt32LE(offset)
    if (length < NLMSG_HEADER_LENGTH || offset + length > datagram.length) break
    messages.push({
      type: datagram.readUInt16LE(offset + 4),
      flags: datagram.readUInt16LE(offset + 6),
      sequence: datagram.readUInt32LE(offset + 8),
      body: datagram.subarray(offset + NLMSG_HEADER_LENGTH, offset + length),
    })
    offset += align4(length)
  }
  return messages
}

/** Reads an NLMSG_ERROR message (errno 0 is the acknowledgement), or the status that ends a dump. */
export function decodeAck(message: Message): Ack {
  const errno = message.body.length >= 4 ? Math.abs(message.body.readInt32LE(0)) : 0
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno, text: '' }
  const found = decodeAttributes(message.body.subarray(ackAttributesOffset(message))).get(NLMSGERR_ATTR_MSG)
  return { errno, text: found === undefined ? '' : readCString(found) }
}

function ackAttributesOffset(message: Message): number {
  if (message.type !== NLMSG_ERROR) return 4
  const isCapped = (message.flags & NLM_F_CAPPED) !== 0
  return 4 + (isCapped ? NLMSG_HEADER_LENGTH : align4(message.body.readUInt32LE(4)))
}
