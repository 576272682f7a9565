import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Attribute,
  attributes,
  cString,
  decodeAck,
  decodeAttributes,
  decodeMessages,
  encodeAttributes,
  encodeMessage,
  readCString,
  u32,
} from './message.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const anyBytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))

describe('netlink messages', () => {
  it('carry any attributes there and back', () => {
    const list = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 0x3fff }), anyBytes), { selector: ([type]) => type })
    fc.assert(
      fc.property(list, (pairs) => {
        expect(decodeAttributes(encodeAttributes(attributes(...pairs)))).toEqual(new Map(pairs))
      }),
    )
  })

  it('carry any messages of one datagram there and back', () => {
    const message = fc.record({
      type: fc.integer({ min: 0, max: 0xffff }),
      flags: fc.integer({ min: 0, max: 0xffff }),
      sequence: fc.integer({ min: 0, max: 0xffffffff }),
      // A body is a family header and attributes, so its length is a multiple of four.
      body: fc.uint8Array({ maxLength: 10 }).map((array) => Buffer.concat([...array].map(u32))),
    })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        expect(decodeMessages(Buffer.concat(messages.map(encodeMessage)))).toEqual(messages)
      }),
    )
  })

  it('survive any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
        const buffer = Buffer.from(array)
        expect(decodeMessages(buffer).every((message) => message.body.length <= buffer.length)).toBe(true)
        expect([...decodeAttributes(buffer).values()].every((value) => value.length <= buffer.length)).toBe(true)
      }),
    )
  })

  it('nest attributes and mark them as nested', () => {
    const nested: Attribute[] = attributes([18, attributes([1, cString('veth')])])
    expect(encodeAttributes(nested).toString('hex')).toBe('1000128009000100766574680000000000'.slice(0, 32))
    const inner = decodeAttributes(decodeAttributes(encodeAttributes(nested)).get(18) ?? Buffer.alloc(0))
    expect(readCString(inner.get(1) ?? Buffer.alloc(0))).toBe('veth')
  })

  it('leave out attributes without a value', () => {
    expect(attributes([1, undefined], [2, u32(7)])).toEqual([{ type: 2, value: u32(7) }])
  })

  it('tell the errno and the words of a recorded refusal', () => {
    const recorded = bytes(
      '60000000020000028d29056b3f3a00009bffffff2c000000180005068d29056b0000000002080000fe03000100000000080001000100000008000500010203' +
        '04200001004e657874686f702068617320696e76616c6964206761746577617900',
    )
    const [message] = decodeMessages(recorded)
    expect(message && decodeAck(message)).toEqual({ errno: 101, text: 'Nexthop has invalid gateway' })
  })

  it('tell success from a recorded acknowledgement', () => {
    const [message] = decodeMessages(bytes('24000000020000018d29056b003a00000000000030000000140005068d29056b00000000'))
    expect(message && decodeAck(message)).toEqual({ errno: 0, text: '' })
  })
})
